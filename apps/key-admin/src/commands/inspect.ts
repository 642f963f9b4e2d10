import { Readable } from 'node:stream';
import type { Payload } from '@temporal-kms/histories/payloads';
import { Option } from 'commander';
import { CliError } from '../cli/cli-error.ts';
import type { CliDeps, DefineCommand } from '../cli/deps.ts';
import { loadKeyConfig, parseKeyName, withEnvFile } from '../cli/environment.ts';
import { addCommonOptions, collect, type CommonOptions } from '../cli/options.ts';
import { columns, createOutput, type Output } from '../cli/output.ts';
import {
  describePayload,
  type KnownNames,
  type PayloadDescription,
  shortened,
} from '../inspect/describe-payload.ts';
import { type InspectedPayload, type InspectedWorkflow, inspectHistory } from '../inspect/inspect-history.ts';
import { type DescribePayload, describeStored, isDamaged } from '../inspect/stored-payload.ts';
import { keyText } from '../inspect/summary.ts';
import { type InputFormat, inputFormats, parseInput } from '../payload-files/parse-input.ts';
import { readBytes } from '../payload-files/read-bytes.ts';
import { EXTERNAL_STORAGE, withStorage } from '../storage/open-storage.ts';

const examples = `
Examples:
  $ temporal-kms inspect history.json --namespace payments-prod --payloads
  $ temporal workflow show -w order-1 --output json | temporal-kms inspect
  $ temporal-kms inspect gs://exports/2030/01/31/histories.proto --json | jq '.workflows[].summary'
  $ pbpaste | temporal-kms inspect --key projects/acme/locations/us-east1/keyRings/temporal-keys/cryptoKeys/workflow-encryption

Decrypts nothing and does not call Cloud KMS: it needs no key and, for local files, no credentials. Needs roles/storage.objectViewer
on the bucket for gs://, and permission to read the objects for --external-storage. The output is what the payloads claim. Exits with 1 if a payload is damaged, or an object
cannot be read.`;

/** Number of objects that are requested at the same time. */
const CONCURRENCY = 8;

interface InspectOptions extends CommonOptions {
  readonly format: InputFormat;
  readonly namespace?: readonly string[];
  readonly workflowId?: string;
  readonly key?: readonly string[];
  readonly payloads?: true;
  readonly externalStorage?: string;
}

/** `inspect`: describes a payload, or each payload of exported histories, without decrypting it. */
export const define: DefineCommand = (command, deps, exit) => {
  command
    .argument('[file]', 'file, gs://BUCKET/OBJECT, or - for standard input (default)')
    .addOption(new Option('--format <form>', 'what the input contains').choices(inputFormats).default('auto'))
    .option('--namespace <name>', 'namespace to look for in headers; may be repeated', collect)
    .option('--workflow-id <id>', "workflow to look for in headers (default: the history's)")
    .option('--key <name>', 'crypto key to look for in headers; may be repeated', collect)
    .option('--payloads', 'list every payload of a history')
    .option(EXTERNAL_STORAGE, 'describe payloads in the external storage that this file names')
    .addHelpText('after', examples);
  addCommonOptions(command).action(async (file: string | undefined, options: InspectOptions) => {
    const output = createOutput(deps, options.json === true);
    const known = knownNames(deps, options);
    const mayRead = options.namespace ?? known.namespaces;
    if (options.externalStorage !== undefined && mayRead.length === 0)
      throw new CliError('usage', '--external-storage needs the namespace of the payloads', [
        '--namespace NAME',
      ]);
    const named = await readBytes(file, deps);
    const input = parseInput(named, options.format);
    const damaged = await withStorage(options.externalStorage, async (storage) => {
      const describe: DescribePayload =
        storage === undefined
          ? async (...described) => describePayload(...described)
          : describeStored(storage, mayRead, output.progress);
      if (input.kind === 'history') {
        const listed: Listed[] = [];
        for await (const one of inspectAll(named.name, input, known, describe, options, output))
          listed.push(one);
        return showHistory(output, listed);
      }
      return showPayloads(
        output,
        await Readable.from(input.payloads)
          .map(async (payload: Payload) => describe(payload, known), { concurrency: CONCURRENCY })
          .toArray(),
      );
    });
    if (damaged) exit('failed');
  });
};

/**
 * Returns the names to look for: those in the options and, if keys are configured, those in the configuration.
 */
function knownNames(deps: CliDeps, options: InspectOptions): KnownNames {
  const { key: keys = [], workflowId } = options;
  for (const key of keys) parseKeyName(key);
  const values = withEnvFile(deps.env, options.envFile);
  const namespaces = [...(options.namespace ?? []), ...[values['TEMPORAL_NAMESPACE'] || []].flat()];
  if (!['GCP_KMS_KEY', 'KMS_KEYS_FILE'].some((name) => values[name])) return { keys, namespaces, workflowId };
  const { rules } = loadKeyConfig(values, {}).kms;
  const configured = rules.namespaces.flatMap((name) => rules.resolve(name).keys);
  return {
    keys: [...keys, ...configured, ...(rules.hasDefault ? rules.resolve('default').keys : [])],
    namespaces: [...namespaces, ...rules.namespaces],
    workflowId,
  };
}

type Listed = InspectedWorkflow & { readonly list?: readonly InspectedPayload[] };

async function* inspectAll(
  name: string,
  { file }: Extract<ReturnType<typeof parseInput>, { kind: 'history' }>,
  known: KnownNames,
  describe: DescribePayload,
  options: InspectOptions,
  output: Output,
): AsyncGenerator<Listed, void> {
  const total = file.workflows.length;
  let list: InspectedPayload[] = [];
  const visit = options.payloads ? (payload: InspectedPayload) => void list.push(payload) : undefined;
  let done = 0;
  for await (const workflow of inspectHistory(name, file, known, describe, visit)) {
    done += 1;
    if (done % 1_000 === 0) output.progress(`${done} of ${total} histories`);
    yield options.payloads ? { ...workflow, list } : workflow;
    list = [];
  }
}

function showPayloads(output: Output, payloads: readonly PayloadDescription[]): boolean {
  output.result({ payloads }, () =>
    payloads.flatMap((payload, index) => [...(index > 0 ? [''] : []), ...describedLines(payload)]),
  );
  return payloads.some(isDamaged);
}

function describedLines(payload: PayloadDescription): string[] {
  const { state, format, formatVersion, encoding, layers, key, namespace, workflow, bytes, headerBytes } =
    payload;
  const isMessage = state === 'encrypted';
  const rows: (readonly [string, string] | undefined)[] = [
    ['state', `${state}${payload.reason === undefined ? '' : `: ${payload.reason}`}`],
    ['format', `${format}${formatVersion === undefined ? '' : `, version ${formatVersion}`}`],
    ['encoding', encoding === '' ? 'none' : encoding],
    [
      'layers',
      [...layers, isMessage ? 'not visible without the key' : ''].filter(Boolean).join(' > ') || 'none',
    ],
    isMessage || key ? ['crypto key', keyWithVersion(key)] : undefined,
    payload.wrappedKeyHash === undefined ? undefined : ['branch key', payload.wrappedKeyHash],
    isMessage ? ['namespace', boundText(namespace, namespace?.name, 'namespace')] : undefined,
    isMessage ? ['workflow', boundText(workflow, workflow?.id, 'workflow')] : undefined,
    ['compressed', payload.compressed ?? (isMessage && format !== 'envelope-v2' ? 'not visible' : 'no')],
    payload.object === undefined ? undefined : ['object', payload.object],
    ['size', `${bytes} bytes${headerBytes === undefined ? '' : `, of which ${headerBytes} are the header`}`],
  ];
  return columns(rows.filter((row) => row !== undefined));
}

const keyWithVersion = (key: PayloadDescription['key']): string =>
  `${keyText(key)}${key?.version === undefined ? ', no version named' : `, version ${key.version}`}`;

function boundText(
  bound: { readonly tag: string } | undefined,
  name: string | undefined,
  what: string,
): string {
  if (bound === undefined) return `not bound to a ${what}`;
  return name === undefined
    ? `bound to a ${what} whose name is unknown here (tag ${bound.tag})`
    : `bound to ${name}`;
}

function showHistory(output: Output, workflows: readonly Listed[]): boolean {
  output.result({ workflows }, () =>
    workflows.flatMap((one, n) => [...(n > 0 ? [''] : []), ...workflowLines(one)]),
  );
  return workflows.some(({ summary }) => summary.some(isDamaged));
}

function workflowLines({
  workflowId,
  runId,
  type,
  events,
  payloads,
  summary,
  branchKeys,
  plaintext,
  list,
}: Listed): string[] {
  return [
    `${shortened(workflowId ?? 'a workflow without an id in the file')}${runId === null ? '' : ` / ${shortened(runId)}`}${type === null ? '' : ` (${shortened(type)})`}`,
    `  ${events} events, ${payloads} payloads`,
    ...table(
      ['STATE', 'FORMAT', 'PAYLOADS', 'BYTES', 'EVENTS', 'VERSION', 'KEY'],
      summary.map((row) => [
        row.reason === undefined ? row.state : `${row.state}: ${row.reason}`,
        row.format,
        String(row.payloads),
        String(row.bytes),
        eventRange(row.firstEvent, row.lastEvent),
        row.key?.version === undefined ? '-' : String(row.key.version),
        row.key === undefined && row.state !== 'encrypted' ? '-' : keyText(row.key),
      ]),
    ),
    ...table(
      ['BRANCH KEY (SHA-256, WRAPPED)', 'PAYLOADS', 'EVENTS'],
      branchKeys.map(({ wrappedKeyHash, payloads: count, firstEvent, lastEvent }) => [
        wrappedKeyHash,
        String(count),
        eventRange(firstEvent, lastEvent),
      ]),
    ),
    ...plaintext.map(
      ({ ref, path, encoding, bytes }) =>
        `  in plaintext: ${ref} ${shortened(path)} (${encoding}, ${bytes} bytes)`,
    ),
    ...table(
      ['REF', 'STATE', 'LAYERS', 'VERSION', 'NAMESPACE', 'WORKFLOW', 'BYTES', 'PATH'],
      (list ?? []).map((one) => [
        one.ref,
        one.state,
        one.layers.join(' > ') || '-',
        one.key?.version === undefined ? '-' : String(one.key.version),
        one.namespace === undefined ? '-' : (one.namespace.name ?? one.namespace.tag),
        one.workflow === undefined ? '-' : (one.workflow.id ?? one.workflow.tag),
        String(one.bytes),
        shortened(one.path),
      ]),
    ),
  ];
}

const eventRange = (first: number, last: number): string =>
  first === last ? `${first}` : `${first} to ${last}`;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  rows.length === 0 ? [] : columns([head, ...rows]).map((line) => `  ${line}`);
