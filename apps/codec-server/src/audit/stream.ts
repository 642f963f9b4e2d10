import type { AuditRecord, Outcome } from './audit.ts';

/**
 * A stream's lines with its `outcome` at the end of them: `complete` once the last has been taken, `cut_off` when
 * somebody stops taking them before, `failed` when the stream throws.
 *
 * @param tell counts a line; what it returns, for a line that says how the stream ended, stands instead of `complete`
 * @param interrupted why nobody takes them any more, if that is so: lines that end early because of it are no complete
 *   answer
 */
export async function* auditedStream<T, Record extends Pick<AuditRecord, 'end'>>(
  record: Record,
  lines: AsyncIterable<T>,
  tell: (record: Record, line: T) => Outcome | void,
  interrupted: () => Outcome | undefined = () => undefined,
): AsyncGenerator<T, void> {
  let result: Outcome | undefined;
  try {
    let end: Outcome = 'complete';
    for await (const line of lines) {
      end = tell(record, line) ?? end;
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
