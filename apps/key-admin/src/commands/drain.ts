import { setTimeout as sleep } from 'node:timers/promises';
import { createKmsCodec, cryptoKeyId } from '@temporal-kms/kms-codec';
import { InvalidArgumentError } from 'commander';
import { CliError } from '../cli/cli-error.ts';
import type { CliDeps, DefineCommand } from '../cli/deps.ts';
import { withEnvFile } from '../cli/environment.ts';
import { addCommonOptions, addKeyOption, seconds } from '../cli/options.ts';
import { createOutput, duration, type Output } from '../cli/output.ts';
import {
  addDestroyOptions,
  type Basis,
  type DestroyOptions,
  prepare,
  versionNumber,
} from '../destroy/decide.ts';
import { type DrainedVersion, drainLines, drainOf } from '../destroy/drain.ts';
import { isFixed, type ReencryptedSchedule, reencryptSchedules } from '../destroy/reencrypt-schedules.ts';
import { namespacesToScan } from '../scan/scan-options.ts';
import { withStorage } from '../storage/open-storage.ts';
import { temporalConfig, withTemporal } from '../temporal/connect.ts';
import { describeServer } from '../temporal/server.ts';

const examples = `
Examples:
  $ temporal-kms drain
  $ temporal-kms drain 3 --reencrypt
  $ temporal-kms drain 3 --watch --every 3600

Needs roles/cloudkms.viewer on the key, and permission to read the namespaces in Temporal; --reencrypt also needs
roles/cloudkms.cryptoKeyEncrypterDecrypter and permission to write schedules. Exits with 75 while a version is not free.`;

interface DrainOptions extends DestroyOptions {
  readonly reencrypt?: true;
  readonly watch?: true;
  readonly every: number;
}

interface Drained {
  readonly key: string;
  readonly versions: readonly DrainedVersion[];
  readonly schedules: readonly (ReencryptedSchedule & { readonly namespace: string })[];
}

/** `drain`: shows when each version becomes free, and re-encrypts the inputs and memos of schedules. */
export const define: DefineCommand = (command, deps, exit) => {
  command
    .argument(
      '[version]',
      'number of the key version (default: every version that is not primary)',
      versionNumber,
    )
    .option('--reencrypt', "re-encrypt schedules' inputs and memos under the primary version")
    .option('--watch', 'scan again until every version is free')
    .option('--every <seconds>', 'time between scans with --watch', interval, 3_600)
    .addHelpText('after', examples);
  addDestroyOptions(addKeyOption(addCommonOptions(command))).action(
    async (version: number | undefined, options: DrainOptions) => {
      const output = createOutput(deps, options.json === true);
      if (options.watch === true && options.report !== undefined)
        throw new CliError('usage', '--watch scans repeatedly, so it cannot use --report');
      let drained = await drain(version, options, deps, output);
      const isFree = (): boolean => drained.versions.every((one) => one.isFree);
      while (options.watch === true && !isFree()) {
        for (const line of linesOf(drained)) output.progress(line);
        await sleep(options.every * 1000);
        drained = await drain(version, options, deps, output).catch((error: unknown) => {
          // Continues after an outage of Temporal or Cloud KMS, because a watch may take weeks.
          if (!(error instanceof CliError) || error.exit !== 'unavailable') throw error;
          output.progress(`${error.message}. The next scan follows in ${duration(options.every * 1000)}`);
          return drained;
        });
      }
      output.result(drained, () => linesOf(drained));
      if (!isFree()) exit('notYet');
    },
  );
};

/** Parses a number of seconds between scans. */
function interval(text: string): number {
  const parsed = seconds(text);
  if (parsed > 0) return parsed;
  throw new InvalidArgumentError('It must be at least 1.');
}

async function drain(
  version: number | undefined,
  options: DrainOptions,
  deps: CliDeps,
  output: Output,
): Promise<Drained> {
  const isWatch = options.watch === true;
  const { scanned, ...before } = await prepare(version, options, deps, output);
  // Checks the version before the scan, and before the command changes anything.
  if (version !== undefined) requireDrainable(version, before, isWatch);
  const schedules = options.reencrypt === true ? await reencrypt(version, before, options, deps, output) : [];
  const { ask } = await scanned();
  const { questionOf, ...basis } = await ask();
  if (version !== undefined) requireDrainable(version, basis, isWatch);
  const { key, description } = basis;
  const versions = description.versions
    .filter(({ state }) => state !== 'DESTROYED')
    .map((one) => one.version)
    .filter((one) => (version === undefined ? one !== description.primary : one === version))
    .toSorted((a, b) => a - b);
  return { key, versions: versions.map((one) => drainOf(questionOf(one))), schedules };
}

/** @throws CliError if the version is already destroyed, or if a watch would never end */
function requireDrainable(version: number, { key, description }: Basis, isWatch: boolean): void {
  const fix = [`temporal-kms keys --key ${key}`];
  if (description.versions.find((one) => one.version === version)?.state === 'DESTROYED')
    throw new CliError('notFound', `Version ${version} of ${key} is destroyed`, fix);
  if (isWatch && description.primary === version)
    throw new CliError(
      'usage',
      `Version ${version} is primary: it cannot become free while it is primary`,
      fix,
    );
}

async function reencrypt(
  version: number | undefined,
  { settings, key, namespaces: named, description }: Basis,
  options: DrainOptions,
  deps: CliDeps,
  { progress }: Output,
): Promise<Drained['schedules']> {
  const config = temporalConfig(withEnvFile(deps.env, options.envFile));
  const codec = createKmsCodec(settings);
  const id = cryptoKeyId(key);
  try {
    return await withStorage(options.externalStorage, async (storage) =>
      withTemporal(config, async (connection, address) => {
        const namespaces =
          options.namespace === undefined
            ? namespacesToScan(
                settings.rules,
                await describeServer(connection, address, []),
                config.namespace,
              )
            : named;
        const done: (ReencryptedSchedule & { readonly namespace: string })[] = [];
        for (const namespace of namespaces) {
          progress(`${namespace}: re-encrypting schedules`);
          const found = await reencryptSchedules({
            connection,
            namespace,
            codec,
            storage,
            isCurrent: (keyId, keyVersion) =>
              keyId !== undefined &&
              (keyId !== id ||
                (version === undefined ? keyVersion === description.primary : keyVersion !== version)),
          });
          done.push(...found.map((one) => ({ namespace, ...one })));
        }
        return done;
      }),
    );
  } finally {
    await codec.close();
  }
}

function linesOf({ key, versions, schedules }: Drained): string[] {
  return [
    key,
    ...schedules.flatMap(({ namespace, scheduleId, outcome, remaining, stored }) => [
      `  schedule ${scheduleId} of ${namespace}: ${outcome === 'done' ? 're-encrypted' : `not re-encrypted (${outcome})`}`,
      ...remaining.map(
        (path) =>
          `    still needs the version: ${path}${isFixed(path) ? ', which Temporal cannot change: recreate the schedule, and delete this one' : ''}`,
      ),
      ...stored.map(storedLine),
    ]),
    ...(versions.length === 0
      ? ['  has no version except the primary version']
      : versions.flatMap(drainLines).map((line) => `  ${line}`)),
  ];
}

function storedLine({ path, reason }: ReencryptedSchedule['stored'][number]): string {
  if (reason === undefined)
    return `    still needs the version: ${path}, in external storage, which drain does not change: recreate the schedule, and delete this one`;
  const fix =
    reason === 'external_reference'
      ? ': list its store in the file of --external-storage, unless its reference is encrypted or in an unknown form'
      : '';
  return `    may need the version: ${path}, whose object was not read (${reason})${fix}`;
}
