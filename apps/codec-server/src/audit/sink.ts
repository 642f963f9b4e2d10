import type { AuditEntry } from '@temporal-kms/codec-api';
import type { Logger } from 'pino';
import { codeOf, messageOf } from '../error-text.ts';
import { Refusal } from '../refusal.ts';
import { type Append, LineQueue, type LineQueueOptions } from './line-queue.ts';
import { logLine } from './log-line.ts';

/** Where audit lines go. A line counts as written when the write's own callback has come. */
export interface AuditSink {
  /** @throws Refusal 503 `audit_unavailable` when the line isn't written within a second */
  write(entry: AuditEntry): Promise<void>;
}

export interface AuditSinkOptions extends Pick<LineQueueOptions, 'waitMs' | 'maxWaiting'> {
  readonly log: Logger;
  /** Called for each line that was refused. */
  readonly failed?: () => void;
}

const RETRY_SECONDS = 5;

export function auditSink(append: Append, { log, failed, ...limits }: AuditSinkOptions): AuditSink {
  let failing = false;
  const lines = new LineQueue(append, {
    ...limits,
    written: () => {
      if (failing) log.warn('the audit is written again');
      failing = false;
    },
    refusal: (error, count) => {
      for (let n = 0; n < count; n += 1) failed?.();
      // Once: every request that is refused has its own line in the request log.
      if (!failing) log.error({ reason: codeOf(error) ?? messageOf(error) }, 'the audit can not be written');
      failing = true;
      return new Refusal(
        503,
        'audit_unavailable',
        'The audit can not be written, so nothing is decrypted; try again.',
        { retryAfter: RETRY_SECONDS, cause: error },
      );
    },
  });
  return { write: (entry) => lines.write(logLine(entry)) };
}
