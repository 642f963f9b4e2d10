import type { AuditRecord, Outcome } from '@temporal-kms/audit';

/**
 * Yields a stream's lines, and writes the `outcome` entry at the end: `complete` if the consumer took the
 * last line, `cut_off` if the consumer stopped earlier, `failed` if the stream threw.
 * @param count called for each line; an outcome that the function returns replaces `complete`
 * @param interrupted returns why the client disconnected, or undefined; a stream that the client left early
 * is not recorded as complete
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
