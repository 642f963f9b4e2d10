import type { DefineCommand } from '../cli/deps.ts';
import { addCommonOptions, addKeyOption } from '../cli/options.ts';
import { createOutput } from '../cli/output.ts';
import { addDestroyOptions, type DestroyOptions, mayDestroy, versionNumber } from '../destroy/decide.ts';
import { verdictLines } from '../destroy/verdict-text.ts';
import { connectGoogle } from '../google/client.ts';
import { signReport } from '../google/sign-report.ts';

const examples = `
Examples:
  $ temporal-kms may-destroy 3
  $ temporal-kms may-destroy 3 --report report.json --not-primary-since 2030-01-31T12:00:00Z
  $ temporal-kms may-destroy 3 --sign-key projects/acme/locations/us-east1/keyRings/audit/cryptoKeys/reports/cryptoKeyVersions/1

Needs what scan needs, roles/cloudkms.viewer on the key and, with --sign-key, roles/cloudkms.signerVerifier on the signing
key. Exits with 1 if the version may not be destroyed.`;

interface MayDestroyOptions extends DestroyOptions {
  readonly signKey?: string;
}

/** `may-destroy`: decides whether anything needs a key version, and shows the evidence. */
export const define: DefineCommand = (command, deps, exit) => {
  command
    .argument('<version>', 'number of the key version', versionNumber)
    .option('--sign-key <name>', 'sign the answer with this signing key version of Cloud KMS, as a JWS')
    .addHelpText('after', examples);
  addDestroyOptions(addKeyOption(addCommonOptions(command))).action(
    async (version: number, options: MayDestroyOptions) => {
      const output = createOutput(deps, options.json === true);
      const { settings, verdict, reports } = await mayDestroy(version, options, deps, output);
      const { signKey } = options;
      if (signKey === undefined) {
        output.result(verdict, () => verdictLines(verdict));
      } else {
        const google = await connectGoogle(settings.emulatorHost, output);
        try {
          const evidence = { ...verdict, time: deps.now().toISOString(), reports };
          const jws = await signReport(google, signKey, evidence);
          output.result({ ...verdict, jws }, () => [...verdictLines(verdict), '', jws]);
        } finally {
          await google.close();
        }
      }
      if (!verdict.mayDestroy) exit('failed');
    },
  );
};
