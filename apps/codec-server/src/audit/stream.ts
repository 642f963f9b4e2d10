import type { AuditRecord } from './audit.ts';

/**
 * A stream's lines with its `outcome` at the end of them: `complete` once the last has been taken, `cut_off` when the
 * reader goes away before, `failed` when the stream throws.
 */
export async function* auditedStream<T>(
  record: AuditRecord,
  lines: AsyncIterable<T>,
  tell: (record: AuditRecord, line: T) => void,
): AsyncGenerator<T, void> {
  let result: 'complete' | 'cut_off' | 'failed' = 'cut_off';
  try {
    for await (const line of lines) {
      tell(record, line);
      yield line;
    }
    result = 'complete';
  } catch (error) {
    result = 'failed';
    throw error;
  } finally {
    await record.end(result);
  }
}
