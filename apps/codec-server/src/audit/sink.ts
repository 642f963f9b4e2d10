import { setTimeout as delay } from 'node:timers/promises';
import type { AuditEntry } from '@temporal-kms/codec-api';
import { Refusal } from '../http/refusal.ts';
import { logLine } from './log-line.ts';

/** Where audit lines go. A line counts as written when the write's own callback has come. */
export interface AuditSink {
  /** @throws Refusal 503 `audit_unavailable` when the line can't be written within a second */
  write(entry: AuditEntry): Promise<void>;
}

const WRITE_MS = 1_000;
const RETRY_SECONDS = 5;

/** @param append writes one line and calls back when it has been taken, as `Writable.write` does */
export function auditSink(
  append: (line: string, written: (error?: Error | null) => void) => void,
  waitMs = WRITE_MS,
): AuditSink {
  return {
    write: async (entry) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      append(logLine(entry), (error) => (error ? reject(error) : resolve()));
      const giveUp = new AbortController();
      try {
        await Promise.race([promise, delay(waitMs, undefined, { signal: giveUp.signal }).then(timedOut)]);
      } catch (error) {
        throw new Refusal(
          503,
          'audit_unavailable',
          'The audit can not be written, so nothing is decrypted; try again.',
          { retryAfter: RETRY_SECONDS, cause: error },
        );
      } finally {
        giveUp.abort();
      }
    },
  };
}

const timedOut = (): never => {
  throw new Error('no callback in time');
};
