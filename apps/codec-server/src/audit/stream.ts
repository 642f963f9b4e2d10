import type { AuditRecord, Outcome } from './audit.ts';

/**
 * A stream's lines with its `outcome` at the end of them: `complete` once the last has been taken, `cut_off` when the
 * reader goes away before, `failed` when the stream throws.
 *
 * @param tell counts a line; what it returns, for a line that says how the stream ended, stands instead of `complete`
 * @param gone aborted when the reader goes away: lines that end early because of it are no complete answer
 */
export async function* auditedStream<T>(
  record: AuditRecord,
  lines: AsyncIterable<T>,
  tell: (record: AuditRecord, line: T) => Outcome | void,
  gone?: AbortSignal,
): AsyncGenerator<T, void> {
  let result: Outcome = 'cut_off';
  try {
    let end: Outcome = 'complete';
    for await (const line of lines) {
      end = tell(record, line) ?? end;
      yield line;
    }
    if (gone?.aborted !== true) result = end;
  } catch (error) {
    if (gone?.aborted !== true) result = 'failed';
    throw error;
  } finally {
    await record.end(result);
  }
}
