import type { Values } from '@temporal-kms/config';
import { cardLines } from '@temporal-kms/histories/why';
import { CliError } from '../cli/cli-error.ts';
import type { CliDeps, DefineCommand } from '../cli/deps.ts';
import { withEnvFile } from '../cli/environment.ts';
import { addCommonOptions, type CommonOptions } from '../cli/options.ts';
import { createOutput, type Output } from '../cli/output.ts';
import { audited } from '../decrypt/audited.ts';
import type { Decrypted } from '../decrypt/decryptor.ts';
import { decryptionFrom, withDecryption } from '../decrypt/with-decryption.ts';
import { type DecryptRefs, type ExplainedRun, explainRun } from '../explain/explain-run.ts';
import { type RunToExplain, runToExplain } from '../explain/read-run.ts';
import { readFromTemporal } from '../explain/temporal-run.ts';
import { parseInput } from '../payload-files/parse-input.ts';
import { readBytes } from '../payload-files/read-bytes.ts';
import { workflowPayloads } from '../payload-files/workflow-payloads.ts';
import { EXTERNAL_STORAGE, withStorage } from '../storage/open-storage.ts';
import { temporalConfig } from '../temporal/connect.ts';

const examples = `
Examples:
  $ temporal-kms explain --workflow-id order-1 --namespace payments-prod
  $ temporal-kms explain --workflow-id order-1 --namespace payments-prod --justification 'ticket 4711' --audit decryptions.jsonl
  $ temporal-kms explain history.json --justification 'ticket 4711' --namespace payments-prod --json | jq '.runs[].findings[0]'

Without --justification, it decrypts nothing and needs no key: it prints types, names, times, and failure messages that
aren't encrypted. With it, it decrypts the messages of the failures, prints them in plaintext, and needs what decrypt needs:
roles/cloudkms.cryptoKeyDecrypter, an application's variables, and an audit. Without a file, it reads Temporal
(TEMPORAL_ADDRESS and others). Exits with 1 if a payload that it shows cannot be decrypted.`;

interface ExplainOptions extends CommonOptions {
  readonly namespace?: string;
  readonly workflowId?: string;
  readonly runId?: string;
  readonly audit?: string;
  readonly justification?: string;
  readonly externalStorage?: string;
}

/** `explain`: explains why a run failed, or what it waits for. */
export const define: DefineCommand = (command, deps, exit) => {
  command
    .argument('[file]', 'history: file, gs://BUCKET/OBJECT, or - for standard input')
    .option('--namespace <name>', 'namespace of the run (default: TEMPORAL_NAMESPACE)')
    .option(
      '--workflow-id <id>',
      'without a file: read this workflow in Temporal; with a file: as in decrypt',
    )
    .option('--run-id <id>', 'run of the workflow (default: the latest)')
    .option('--audit <file>', 'append the audit to this file (default: AUDIT_FILE)')
    .option(EXTERNAL_STORAGE, 'read payloads in the external storage that this file names')
    .option('--justification <text>', 'decrypt messages, and record this reason in the audit')
    .addHelpText('after', examples);
  addCommonOptions(command).action(async (file: string | undefined, options: ExplainOptions) => {
    const output = createOutput(deps, options.json === true);
    const values = withEnvFile(deps.env, options.envFile);
    const runs = await readRuns(file, options, values, deps);
    const explained = await explainAll(runs, options, values, output);
    output.result({ runs: explained.map(jsonOf) }, () => explained.flatMap(linesOf));
    if (explained.some(({ unreadable }) => unreadable > 0)) exit('failed');
  });
};

/** Returns the runs in the file or, without a file, the run in Temporal that the options name. */
async function readRuns(
  file: string | undefined,
  options: ExplainOptions,
  values: Values,
  deps: CliDeps,
): Promise<readonly RunToExplain[]> {
  const { workflowId, runId } = options;
  if (file === undefined && workflowId !== undefined) {
    const config = temporalConfig(values);
    const namespace = options.namespace ?? config.namespace;
    return [await readFromTemporal(config, { namespace, workflowId, runId, now: deps.now().getTime() })];
  }
  if (runId !== undefined)
    throw new CliError('usage', '--run-id needs --workflow-id and no file: a file contains its run', [
      'temporal-kms explain --workflow-id ID --run-id ID',
    ]);
  const { name, bytes } = await readBytes(file, deps);
  const input = parseInput({ name, bytes }, 'history');
  const namespace = namespaceOf(options, values) ?? '';
  if (input.kind !== 'history') return [];
  return input.file.workflows.map((workflow) => {
    const home = { ...workflow, workflowId: workflowId ?? workflow.workflowId };
    const events = function* () {
      for (const { event } of workflowPayloads(name, home, namespace)) yield event;
    };
    return runToExplain({ namespace, workflowId: home.workflowId, runId: home.runId, events: events() });
  });
}

const namespaceOf = ({ namespace }: ExplainOptions, values: Values): string | undefined =>
  namespace ?? (values['TEMPORAL_NAMESPACE'] || undefined);

async function explainAll(
  runs: readonly RunToExplain[],
  options: ExplainOptions,
  values: Values,
  output: Output,
): Promise<ExplainedRun[]> {
  const explained: ExplainedRun[] = [];
  const all = async (decrypt: DecryptRefs | undefined) => {
    // oxlint-disable-next-line no-await-in-loop -- Each run has a separate intent and outcome in the audit.
    for (const run of runs) explained.push(await explainRun(run, decrypt));
  };
  if (options.justification === undefined) await all(undefined);
  else await decrypting(options, values, output, all);
  return explained;
}

/**
 * Calls `use` with a function that decrypts payloads and records the decryption in an audit, as the command `decrypt`
 * does.
 */
async function decrypting(
  options: ExplainOptions,
  values: Values,
  output: Output,
  use: (decrypt: DecryptRefs) => Promise<void>,
): Promise<void> {
  const decryption = decryptionFrom(options, values);
  const { namespace, justification } = decryption;
  await withStorage(options.externalStorage, (storage) =>
    withDecryption(decryption, output, ({ codec, audit, caller }) =>
      use(async (run, refs) => {
        const { workflowId, runId, payloads, details } = run;
        const intent = {
          operation: 'decode',
          caller,
          namespace,
          justification,
          workflowId,
          runId,
          refs,
        } as const;
        const source = details === undefined ? ({ source: 'file' } as const) : {};
        const stored = refs.flatMap((ref) => payloads.get(ref)?.payload ?? []);
        const { result } = await audited(
          { codec, audit, storage },
          { ...intent, ...source },
          stored,
          async (decryptor) => {
            const results = new Map<(typeof refs)[number], Decrypted>();
            for (const ref of refs) {
              const found = payloads.get(ref);
              if (found === undefined) continue;
              const { payload, encryptable, context } = found;
              // oxlint-disable-next-line no-await-in-loop -- The decryptor caches the keys of earlier payloads.
              results.set(
                ref,
                await decryptor.decrypt({ payload, encryptable, workflowId: context.workflowId }),
              );
            }
            return results;
          },
        );
        return result;
      }),
    ),
  );
}

const jsonOf = ({ run, explanation }: ExplainedRun) => {
  const { workflowId = null, runId = null, type = null, status } = run;
  return { workflowId, runId, type, status, ...explanation };
};

function linesOf({ run, explanation }: ExplainedRun, index: number): string[] {
  const { workflowId = 'a workflow without an id in the file', runId, type, status, now } = run;
  const name = `${workflowId}${runId === undefined ? '' : ` / ${runId}`}${type === undefined ? '' : ` (${type})`}`;
  const howToReveal = "Add --justification 'ticket 4711' and --audit FILE to decrypt what the card shows.";
  return [
    ...(index > 0 ? [''] : []),
    `${name}: ${status}`,
    ...cardLines(explanation, { status, now, howToReveal }).map((line) => `  ${line}`),
  ];
}
