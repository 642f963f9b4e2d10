import { isProtobuf, readProtobuf } from './export-protobuf.ts';
import type { FileWorkflow } from './file-workflow.ts';
import { readJson } from './history-json.ts';
import { HistoryFileError } from '../history-file-error.ts';

export interface HistoryFile {
  /**
   * The workflows, at least one, in the order in which the file contains them. Only Temporal Cloud's export
   * contains several workflows.
   */
  readonly workflows: readonly [FileWorkflow, ...FileWorkflow[]];
}

/**
 * Maximum size of a file in bytes. Temporal limits a history to 50 MiB, and base64 and indented JSON can
 * quadruple its size. A Temporal Cloud export contains many histories.
 */
export const MAX_FILE_BYTES = 256 * 1024 * 1024;

/**
 * Reads a file that contains the history of one or more workflow runs. Recognizes the format by the content:
 *
 * - JSON of `temporal workflow show --output json` (also `jsonl`), and of Temporal's SDKs
 * - JSON that Temporal's Web UI downloads: encoded, decoded and readable
 * - exports of the codec server: `encoded`, `decoded` and `readable`
 * - `temporal.api.export.v1.WorkflowExecutions` in protobuf, which Temporal Cloud's Workflow History Export
 *   writes, and the same message as JSON
 *
 * Finds and checks the events, but does not parse their payloads. Also runs in browsers, because it uses
 * neither the network nor Node's modules.
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
  // A protobuf file begins with 0x0a. JSON may begin with the same byte, a line feed.
  const workflows = isProtobuf(bytes) ? readProtobuf(bytes) : readJson(textOf(bytes));
  const [first, ...more] = workflows;
  if (first === undefined) throw notAHistory();
  return { workflows: [first, ...more] };
}

/** Returns the error for a file that is too large. Callers check the size before they read the file. */
export function tooLarge(size: number): HistoryFileError {
  return new HistoryFileError(
    'too_large',
    `The file is ${mib(size)} MiB in size; the limit is ${mib(MAX_FILE_BYTES)} MiB.`,
  );
}

const mib = (bytes: number): number => Math.ceil(bytes / 1024 / 1024);

const notAHistory = (cause?: unknown): HistoryFileError =>
  new HistoryFileError(
    'not_a_history',
    'The file is not a workflow history. It must be JSON from the Temporal CLI, Temporal’s Web UI or the temporal-kms dashboard, or an export from Temporal Cloud.',
    { cause },
  );

/** The first bytes of gzip, zip and zstd files. */
const archives = [
  [0x1f, 0x8b],
  [0x50, 0x4b, 0x03, 0x04],
  [0x28, 0xb5, 0x2f, 0xfd],
];

const isArchive = (bytes: Uint8Array): boolean =>
  archives.some((magic) => magic.every((byte, at) => bytes[at] === byte));

/** Returns the text of UTF-8 bytes, without a byte order mark. */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw notAHistory(error);
  }
}
