import { isProtobuf, readProtobuf } from './export-protobuf.ts';
import type { FileWorkflow } from './file-workflow.ts';
import { readJson } from './history-json.ts';
import { HistoryFileError } from '../history-file-error.ts';

export interface HistoryFile {
  /** In the order of the file; at least one. Only Temporal Cloud's export contains several. */
  readonly workflows: readonly [FileWorkflow, ...FileWorkflow[]];
}

/**
 * The largest file in bytes. Temporal limits a history to 50 MiB, of which base64 and indented JSON make up to four times
 * as much. A file of Temporal Cloud's export contains many histories.
 */
export const MAX_FILE_BYTES = 256 * 1024 * 1024;

/**
 * Reads a file that contains the history of one or more workflow runs. It recognises the form by the content:
 *
 * - JSON of `temporal workflow show --output json` (also `jsonl`), and of Temporal's SDKs
 * - JSON that Temporal's Web UI downloads: encoded, decoded and readable
 * - exports of the codec server: `encoded`, `decoded` and `readable`
 * - `temporal.api.export.v1.WorkflowExecutions` in protobuf, which Temporal Cloud's Workflow History Export writes, and
 *   the same message as JSON
 *
 * It finds and checks the events, and reads none of their payloads. It uses neither the network nor Node, so pages and
 * programs can use it.
 *
 * @throws HistoryFileError
 *
 * @example
 * const { workflows } = readHistoryFile(await readFile('history.json'));
 * for (const { workflowId, length } of workflows) console.log(workflowId, length);
 */
export function readHistoryFile(bytes: Uint8Array): HistoryFile {
  if (bytes.length > MAX_FILE_BYTES) throw tooLarge(bytes.length);
  if (bytes.length === 0) throw new HistoryFileError('empty', 'The file is empty.');
  if (isArchive(bytes))
    throw new HistoryFileError('compressed', 'The file is compressed: decompress it, and open the result.');
  // A protobuf file begins with the byte of a line feed, which may also be the first byte of JSON.
  const workflows = isProtobuf(bytes) ? readProtobuf(bytes) : readJson(textOf(bytes));
  const [first, ...more] = workflows;
  if (first === undefined) throw notAHistory();
  return { workflows: [first, ...more] };
}

/** @param size in bytes; for a check before the file is read */
export function tooLarge(size: number): HistoryFileError {
  return new HistoryFileError(
    'too_large',
    `The file has ${mib(size)} MiB; the limit is ${mib(MAX_FILE_BYTES)} MiB.`,
  );
}

const mib = (bytes: number): number => Math.ceil(bytes / 1024 / 1024);

const notAHistory = (cause?: unknown): HistoryFileError =>
  new HistoryFileError(
    'not_a_history',
    'The file is not a workflow history. It must be JSON from the Temporal CLI, Temporal’s Web UI or the temporal-kms dashboard, or an export from Temporal Cloud.',
    { cause },
  );

/** The first bytes of gzip, zip and zstd. */
const archives = [
  [0x1f, 0x8b],
  [0x50, 0x4b, 0x03, 0x04],
  [0x28, 0xb5, 0x2f, 0xfd],
];

const isArchive = (bytes: Uint8Array): boolean =>
  archives.some((magic) => magic.every((byte, at) => bytes[at] === byte));

/** Removes a byte order mark. */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw notAHistory(error);
  }
}
