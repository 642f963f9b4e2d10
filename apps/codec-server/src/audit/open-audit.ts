import * as shared from '@temporal-kms/audit';
import { HttpError } from '../errors.ts';

const RETRY_SECONDS = 5;

const unavailable = (cause: unknown): HttpError =>
  new HttpError(
    503,
    'audit_unavailable',
    'The audit cannot be written, so nothing is decrypted; try again.',
    { retryAfter: RETRY_SECONDS, cause, loggable: true },
  );

export type OpenAuditOptions = Omit<shared.OpenAuditOptions, 'unavailable' | 'producer'>;

/** Opens the server's audit, whose operations get 503 `audit_unavailable` when their lines cannot be written. */
export const openAudit = (options: OpenAuditOptions): Promise<shared.OpenAudit> =>
  shared.openAudit({ ...options, unavailable });

/** Returns a sink that rejects with 503 `audit_unavailable` what it cannot write. */
export const auditSink = (
  append: Parameters<typeof shared.auditSink>[0],
  options: Omit<shared.AuditSinkOptions, 'unavailable' | 'producer'>,
): ReturnType<typeof shared.auditSink> => shared.auditSink(append, { ...options, unavailable });
