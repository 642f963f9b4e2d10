import { CliError } from '../cli/cli-error.ts';
import type { CliDeps, DefineCommand } from '../cli/deps.ts';
import { addCommonOptions, addKeyOption } from '../cli/options.ts';
import { createOutput, timestamp, typeLines } from '../cli/output.ts';
import { addDestroyOptions, type DestroyOptions, mayDestroy, versionNumber } from '../destroy/decide.ts';
import { verdictLines } from '../destroy/verdict-text.ts';
import { connectGoogle } from '../google/client.ts';
import { versionLine } from '../google/gcloud.ts';

const examples = `
Examples:
  $ temporal-kms destroy 3
  $ temporal-kms destroy 3 --report report.json --yes

Decides as may-destroy does, and asks. Cloud KMS destroys the version later (30 days, unless the key has another duration);
until then it can be restored. Needs roles/cloudkms.admin on the key and what may-destroy needs. Exits with 1, and changes
nothing, if the version may not be destroyed.`;

interface DestroyCommandOptions extends DestroyOptions {
  readonly yes?: true;
}

/** `destroy`: schedules the destruction of a version that nothing needs. */
export const define: DefineCommand = (command, deps, exit) => {
  command
    .argument('<version>', 'number of the key version', versionNumber)
    .option('--yes', 'do not ask')
    .addHelpText('after', examples);
  addDestroyOptions(addKeyOption(addCommonOptions(command))).action(
    async (version: number, options: DestroyCommandOptions) => {
      const output = createOutput(deps, options.json === true);
      const { settings, key, description, decideAgain, ...first } = await mayDestroy(
        version,
        options,
        deps,
        output,
      );
      let { verdict } = first;
      for (const line of verdictLines(verdict)) output.progress(line);
      if (!verdict.mayDestroy) return refuse();
      const { state, destroyTime } = description.versions.find((one) => one.version === version) ?? {};
      const isScheduled = state === 'DESTROY_SCHEDULED';
      if (!isScheduled) {
        await confirm(version, options.yes === true, deps);
        // The person may have taken a long time to answer. Meanwhile, the version may have become primary, or the
        // report may have become too old.
        verdict = await decideAgain();
        if (!verdict.mayDestroy) {
          for (const line of verdictLines(verdict)) output.progress(line);
          return refuse();
        }
      }
      const time = isScheduled ? destroyTime : await destroy(`${key}/cryptoKeyVersions/${version}`);
      const [restore, enable] = [versionLine('restore', key, version), versionLine('enable', key, version)];
      output.result({ ...verdict, destroyTime: time?.toISOString() ?? null, restore, enable }, () => [
        `Version ${version} of ${key} is scheduled for destruction${time ? ` on ${timestamp(time)}` : ''}. To restore it until then`,
        ...typeLines([restore, enable]),
      ]);

      function refuse(): void {
        output.result({ ...verdict, destroyTime: null }, () => []);
        exit('failed');
      }

      async function destroy(name: string): Promise<Date | undefined> {
        const google = await connectGoogle(settings.emulatorHost, output);
        try {
          const [{ destroyTime: scheduled }] = await google.change(
            { resource: key, role: 'roles/cloudkms.admin' },
            (call) => google.kms.destroyCryptoKeyVersion({ name }, call),
          );
          return scheduled ? new Date(Number(scheduled.seconds ?? 0) * 1000) : undefined;
        } finally {
          await google.close();
        }
      }
    },
  );
};

/** @throws CliError unless the person confirms */
async function confirm(version: number, isConfirmed: boolean, { isTerminal, ask }: CliDeps): Promise<void> {
  if (isConfirmed) return;
  if (!isTerminal)
    throw new CliError('usage', 'Without a terminal, destroy needs --yes', [
      `temporal-kms destroy ${version} --yes`,
    ]);
  const answer = await ask(`Schedule the destruction of version ${version}? Type its number to confirm: `);
  if (answer.trim() !== String(version)) throw new CliError('usage', 'Not confirmed. Nothing was changed');
}
