import { InvalidArgumentError } from 'commander';
import { CliError } from '../cli/cli-error.ts';
import type { CliDeps, DefineCommand } from '../cli/deps.ts';
import { withEnvFile } from '../cli/environment.ts';
import { addCommonOptions, collect, type CommonOptions } from '../cli/options.ts';
import { columns, createOutput, type Output } from '../cli/output.ts';
import { workflowPayloads } from '../payload-files/workflow-payloads.ts';
import { parseInput } from '../payload-files/parse-input.ts';
import { readBytes } from '../payload-files/read-bytes.ts';
import { clearValues } from '../plaintext/clear-values.ts';
import { type Finding, Findings } from '../plaintext/findings.ts';
import { type Looked, lookInNamespace } from '../plaintext/look-in-temporal.ts';
import { builtInNames, loadPatterns } from '../plaintext/patterns.ts';
import { temporalConfig, withTemporal } from '../temporal/connect.ts';

const examples = `
Examples:
  $ temporal-kms plaintext --namespace payments-prod
  $ temporal-kms plaintext --namespace payments-prod --query 'StartTime > "2030-01-01T00:00:00Z"' --patterns patterns.yaml
  $ temporal-kms plaintext history.json gs://exports/2030/01/31/histories.proto --json | jq '.findings[].path'

Built-in patterns: ${builtInNames.join(', ')}. Decrypts nothing, and prints no found value in full.
With --namespace, it needs permission to read the namespace in Temporal (TEMPORAL_ADDRESS and others). Exits with 1 if it finds a value.`;

interface PlaintextOptions extends CommonOptions {
  readonly namespace?: readonly string[];
  readonly query?: string;
  readonly patterns?: string;
  readonly payloads?: true;
  readonly rps: number;
}

/**
 * `plaintext`: searches the fields that Temporal shows in plaintext for values that look like personal data.
 */
export const define: DefineCommand = (command, deps, exit) => {
  command
    .argument('[files...]', 'exported histories: files, gs://BUCKET/OBJECT, or - for standard input')
    .option(
      '--namespace <name>',
      'look in the histories and schedules of this namespace; may be repeated',
      collect,
    )
    .option('--query <query>', 'look only in runs that match this visibility query')
    .option('--patterns <file>', 'file with additional patterns and allowed values')
    .option('--payloads', 'also look in plaintext payloads; not useful for decoded exports')
    .option('--rps <calls>', 'calls to Temporal per second', rate, 20)
    .addHelpText('after', examples);
  addCommonOptions(command).action(async (files: readonly string[], options: PlaintextOptions) => {
    const output = createOutput(deps, options.json === true);
    const { namespace: namespaces = [] } = options;
    if (files.length === 0 && namespaces.length === 0)
      throw new CliError('usage', 'No file or namespace was given', ['--namespace payments-prod']);
    const findings = new Findings(loadPatterns(options.patterns));
    const looked: Looked = { histories: 0, schedules: 0 };
    const look: Look = { options, deps, output, findings, looked };
    for (const file of files) await lookInFile(file, look);
    if (namespaces.length > 0) await lookInTemporal(namespaces, look);
    const found = findings.list();
    const { texts, others } = findings;
    output.result({ ...looked, texts, findings: found, unlisted: others }, () => [
      ...linesOf(found),
      `${looked.histories} histories and ${looked.schedules} schedules, ${texts} texts: ${resultText(found.length, others)}`,
    ]);
    if (found.length > 0) exit('failed');
  });
};

function resultText(fields: number, others: number): string {
  if (fields === 0) return 'nothing found';
  return `found in ${fields} fields${others > 0 ? `, and ${others} values in more fields` : ''}`;
}

/** Parses a number of calls per second. */
function rate(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1 to 9999.');
}

interface Look {
  readonly options: PlaintextOptions;
  readonly deps: CliDeps;
  readonly output: Output;
  readonly findings: Findings;
  readonly looked: Looked;
}

async function lookInFile(file: string, { options, deps, output, findings, looked }: Look): Promise<void> {
  const named = await readBytes(file, deps);
  const input = parseInput(named, 'history');
  if (input.kind !== 'history') return;
  const { workflows } = input.file;
  for (const workflow of workflows) {
    const { workflowId, runId } = workflow;
    for (const { eventId, event } of workflowPayloads(named.name, workflow))
      findings.add(clearValues('temporal.api.history.v1.HistoryEvent', event, options.payloads), {
        source: named.name,
        workflowId,
        runId,
        eventId,
      });
  }
  looked.histories += workflows.length;
  output.progress(`${named.name}: histories: ${workflows.length}`);
}

async function lookInTemporal(
  namespaces: readonly string[],
  { options, deps, output, findings, looked }: Look,
): Promise<void> {
  const { query = '', rps, payloads = false } = options;
  await withTemporal(temporalConfig(withEnvFile(deps.env, options.envFile)), async (connection) => {
    for (const namespace of namespaces) {
      const more = await lookInNamespace(
        connection,
        { namespace, query, rps, withPayloads: payloads },
        findings,
        output,
      );
      looked.histories += more.histories;
      looked.schedules += more.schedules;
    }
  });
}

function linesOf(findings: readonly Finding[]): string[] {
  return findings.flatMap(({ pattern, kind, path, values, histories, samples }) => [
    `${kind}: ${pattern} in ${path}: ${values} values in ${histories} histories or schedules`,
    ...columns(
      samples.map(({ masked, source, workflowId, runId, scheduleId, eventId }) => [
        `  ${masked}`,
        source,
        workflowId ?? scheduleId ?? '',
        runId ?? '',
        eventId === undefined ? '' : `event ${eventId}`,
      ]),
    ),
  ]);
}
