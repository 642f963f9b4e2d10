/**
 * Why a file cannot be read.
 * - `empty`: the file has no content.
 * - `too_large`: the file is larger than `MAX_FILE_BYTES`.
 * - `compressed`: the file is a gzip, zip or zstd archive.
 * - `not_a_history`: the file does not contain a history in JSON or protobuf.
 * - `cut_off`: the file is truncated.
 * - `malformed`: an event does not have Temporal's format.
 * - `gap`: events are missing, repeated or out of order.
 */
export type HistoryFileProblem =
  | 'empty'
  | 'too_large'
  | 'compressed'
  | 'not_a_history'
  | 'cut_off'
  | 'malformed'
  | 'gap';

/**
 * Thrown if a file cannot be read. The message is for people, and contains event ids but no other content of
 * the file.
 */
export class HistoryFileError extends Error {
  override readonly name = 'HistoryFileError';
  readonly code: HistoryFileProblem;

  constructor(code: HistoryFileProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
