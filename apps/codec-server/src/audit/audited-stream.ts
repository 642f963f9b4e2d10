import type { AuditRecord, Outcome } from '@temporal-kms/audit';

/**
 * Yields a stream's lines and writes the `outcome` entry when it ends: `complete` once the last line was taken,
 * `cut_off` when the reader stops before that, `failed` when the stream throws.
 * @param count called for each line; an outcome that it returns replaces `complete`
 * @param interrupted returns why the reader is gone, if it is: lines that end early for that are not a complete answer
 */
export async function* auditedStream<T, Record extends Pick<AuditRecord, 'end'>>(
  record: Record,
  lines: AsyncIterable<T>,
  count: (record: Record, line: T) => Outcome | void,
  interrupted: () => Outcome | undefined = () => undefined,
): AsyncGenerator<T, void> {
  let result: Outcome | undefined;
  try {
    let end: Outcome = 'complete';
    for await (const line of lines) {
      end = count(record, line) ?? end;
      yield line;
    }
    result = end;
  } catch (error) {
    result = 'failed';
    throw error;
  } finally {
    await record.end(interrupted() ?? result ?? 'cut_off');
  }
}
