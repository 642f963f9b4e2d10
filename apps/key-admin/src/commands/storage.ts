import type { ScanReport } from '@temporal-kms/codec-api';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import { ObjectStorage } from '@temporal-kms/payload-storage';
import { InvalidArgumentError } from 'commander';
import { CliError } from '../cli/cli-error.ts';
import type { CliDeps, DefineCommand } from '../cli/deps.ts';
import { addCommonOptions, addKeyOption } from '../cli/options.ts';
import { columns, createOutput, type Output } from '../cli/output.ts';
import { createOutputFile } from '../cli/output-file.ts';
import { quote } from '../cli/quote.ts';
import { type Compared, compareObjects, doubts, type ObjectTotal } from '../objects/compare-objects.ts';
import { costPerMonth, jsonLine, nameLine } from '../objects/object-list.ts';
import { type ReferredObject, ReferredObjects } from '../objects/referred-objects.ts';
import { gapLines } from '../scan/report-text.ts';
import { addReadOptions, type ReadOptions, scanWith } from '../scan/scan-options.ts';
import { readStorage } from '../storage/open-storage.ts';

const examples = `
Examples:
  $ temporal-kms storage --external-storage storage.yaml --namespace payments --out unused.txt --price 0.023
  $ temporal-kms storage --external-storage storage.yaml --namespace payments --out unused.jsonl --json-lines
  $ tr '\\n' '\\0' < unused.txt | xargs -0 -n 1 aws s3 rm
  $ gcloud storage rm --read-paths-from-stdin < unused.txt

Needs what scan needs, and permission to list the objects. Deletes nothing. Exits with 1, without a list, if the scan is
not complete; and with 1 if the object of a history is gone. docs/cli.md lists what the command cannot see.`;

interface StorageOptions extends ReadOptions {
  readonly out?: string;
  readonly jsonLines?: true;
  readonly price?: number;
}

/**
 * What the command has found. `compared` is null if the scan is not complete, because then any object may be
 * in use.
 */
interface Found {
  readonly report: ScanReport;
  readonly compared: Compared | null;
  /** Number of unused objects that are not in the list, because only JSON can represent their names. */
  readonly unlisted: number;
}

/** `storage`: compares the objects in external storage with the references in histories. */
export const define: DefineCommand = (command, deps, exit) => {
  command
    .option('--out <file>', 'write the names of the unused objects to this file; it must not exist')
    .option(
      '--json-lines',
      'write each object as a line of JSON, with its size, time and (with --price) cost',
    )
    .option(
      '--price <amount>',
      'price of a GiB for a month, in any currency, to show what objects cost',
      parsePrice,
    )
    .addHelpText('after', examples);
  addReadOptions(addKeyOption(addCommonOptions(command))).action(async (options: StorageOptions) => {
    const output = createOutput(deps, options.json === true);
    const found = await compare(options, deps, output);
    output.result(jsonOf(found, options), () => linesOf(found, options));
    if (found.compared === null || found.compared.gone.length > 0) exit('failed');
  });
};

async function compare(options: StorageOptions, deps: CliDeps, output: Output): Promise<Found> {
  const { externalStorage: file, out, jsonLines = false, price } = options;
  if (file === undefined)
    throw new CliError('usage', 'No storage file was given', ['--external-storage storage.yaml']);
  if (jsonLines && out === undefined)
    throw new CliError('usage', '--json-lines needs a file to write to', ['--out unused.jsonl']);
  const { namespaces: configured } = readStorage(file);
  const requireStore = (namespaces: readonly string[]): void => {
    if (!namespaces.some((name) => configured.has(name)))
      throw new CliError(
        'configuration',
        `${file} lists no external storage for the namespace ${namespaces.join(', ')}`,
        [`$EDITOR ${quote(file)}`],
      );
  };
  if (options.namespace !== undefined) requireStore(options.namespace);
  // Creates the file before the scan, which may take hours, so that a wrong path is reported at once.
  const list = out === undefined ? undefined : createOutputFile(out);
  let isComplete = false;
  const storage = new ObjectStorage({ namespaces: configured });
  try {
    const found = new ReferredObjects(storage);
    const report = await scanWith((namespace) => found.in(namespace), options, deps, output);
    if (!report.complete) return { report, compared: null, unlisted: 0 };
    const scanned = report.namespaces.map(({ namespace }) => namespace);
    requireStore(scanned);
    output.progress('Listing the objects');
    let unlisted = 0;
    const compared = await compareObjects({
      storage,
      configured,
      scanned,
      found,
      started: new Date(report.started),
      onUnused: (unused) => {
        const line = jsonLines ? jsonLine(unused, price) : nameLine(unused);
        if (line === undefined) unlisted += 1;
        else list?.write(line);
      },
    });
    isComplete = true;
    return { report, compared, unlisted };
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    throw new CliError('unavailable', `${error.message} (${error.code})`, [], error);
  } finally {
    list?.end(isComplete);
    await storage.close();
  }
}

const jsonOf = ({ report, compared, unlisted }: Found, { price }: StorageOptions) => ({
  started: report.started,
  complete: report.complete,
  namespaces: report.namespaces.map(({ namespace }) => namespace),
  gaps: report.namespaces.flatMap(({ namespace, gaps }) => gaps.map((gap) => ({ namespace, ...gap }))),
  ...(compared ?? { referred: null, unused: null, unclear: null, gone: null, notPermitted: null }),
  ...(compared &&
    price !== undefined && {
      unused: { ...compared.unused, costPerMonth: costPerMonth(compared.unused.bytes, price) },
    }),
  unlisted,
});

/** Parses the value of `--price`. */
function parsePrice(text: string): number {
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be the price of a GiB for a month, for example 0.023.');
}

const doubtTexts = {
  recent: 'stored after the scan started or in the hour before it, whose references may not be written yet',
  open_workflow: 'of open workflows, or of no workflow, which may be referred to at any time',
  other_namespace: 'that another namespace may refer to, which was not scanned',
  other_bucket:
    'whose names histories mention in another bucket, which may be an access point of this bucket',
} as const;

function linesOf({ report, compared, unlisted }: Found, { out, price }: StorageOptions): string[] {
  if (compared === null)
    return [
      ...gapLines(report),
      'No object counts as unused: a history that was not read may refer to any object.',
    ];
  const { referred, unused, unclear, gone, notPermitted } = compared;
  const inDoubt = doubts.filter((doubt) => unclear[doubt].objects > 0);
  const rows = [
    ['in use', ...cells(referred)],
    ['unused', ...cells(unused)],
    ...inDoubt.map((doubt) => ['perhaps in use', ...cells(unclear[doubt])]),
  ];
  const cost =
    price === undefined
      ? '--price AMOUNT, the price of a GiB for a month, shows what the unused objects cost.'
      : `The unused objects cost ${costPerMonth(unused.bytes, price).toFixed(2)} per month.`;
  return [
    `Scanned: ${report.namespaces.map(({ namespace }) => namespace).join(', ')} (${report.started})`,
    ...columns([['', 'OBJECTS', 'BYTES', 'GIB', 'OLDEST', 'NEWEST'], ...rows]),
    cost,
    ...inDoubt.map((doubt) => `Perhaps in use: ${unclear[doubt].objects} objects ${doubtTexts[doubt]}`),
    ...(out === undefined ? [] : [`${out}: ${unused.objects - unlisted} unused objects`]),
    ...(unlisted > 0 ? [`NOT LISTED: ${unlisted} unused objects whose names need --json-lines`] : []),
    ...goneLines('GONE', gone),
    ...goneLines('NOT SEEN, because the storage file does not permit reading it', notPermitted),
  ];
}

const cells = ({ objects, bytes, oldest, newest }: ObjectTotal): string[] => [
  String(objects),
  String(bytes),
  (bytes / 2 ** 30).toFixed(3),
  oldest ?? '-',
  newest ?? '-',
];

/** Maximum number of objects in the text output. With `--json`, the output names all objects. */
const MAX_LINES = 100;

function goneLines(what: string, objects: readonly ReferredObject[]): string[] {
  const more = objects.length - MAX_LINES;
  return [
    ...objects
      .slice(0, MAX_LINES)
      .map(
        ({ name, namespace, place, workflowId, runId, histories }) =>
          `${what}: ${name}, to which ${histories} histories refer, for example ${workflowId}${runId === undefined ? '' : `, run ${runId}`} (${place}, namespace ${namespace})`,
      ),
    ...(more > 0 ? [`${what}: ${more} more objects, which --json lists`] : []),
  ];
}
