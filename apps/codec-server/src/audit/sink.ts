import type { AuditEntry } from '@temporal-kms/codec-api';
import type { Logger } from 'pino';
import { codeOf, HttpError, messageOf } from '../errors.ts';
import { type AppendLines, LineQueue, type LineQueueOptions } from './line-queue.ts';
import { logLine } from './log-line.ts';
import { Standing } from '../standing.ts';

/** Where audit lines go. A line counts as written when the write's own callback has come. */
export interface AuditSink {
  /** @throws HttpError 503 `audit_unavailable` when the line isn't written within a second */
  write(entry: AuditEntry): Promise<void>;
  /** The same for a line that is no entry. */
  writeLine(line: string): Promise<void>;
}

export interface AuditSinkOptions extends Pick<LineQueueOptions, 'waitMs' | 'maxWaiting'> {
  readonly log: Logger;
  /** Called for each line that was refused. */
  readonly failed?: () => void;
}

const RETRY_SECONDS = 5;

export function auditSink(append: AppendLines, { log, failed, ...limits }: AuditSinkOptions): AuditSink {
  const standing = new Standing(log, {
    fails: 'the audit can not be written',
    works: 'the audit is written again',
    level: 'error',
  });
  const lines = new LineQueue(append, {
    ...limits,
    written: () => standing.works(),
    refusal: (error, count) => {
      for (let n = 0; n < count; n += 1) failed?.();
      standing.fails({ reason: codeOf(error) ?? messageOf(error) });
      return new HttpError(
        503,
        'audit_unavailable',
        'The audit can not be written, so nothing is decrypted; try again.',
        { retryAfter: RETRY_SECONDS, cause: error, loggable: true },
      );
    },
  });
  return {
    write: (entry) => lines.write(logLine(entry)),
    writeLine: (line) => lines.write(line),
  };
}
