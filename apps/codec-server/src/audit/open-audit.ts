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

/** Opens the server's audit. Operations get 503 `audit_unavailable` if their lines cannot be written. */
export const openAudit = (options: OpenAuditOptions): Promise<shared.OpenAudit> =>
  shared.openAudit({ ...options, unavailable });

/** Returns a sink that throws HttpError 503 `audit_unavailable` if a line cannot be written. */
export const auditSink = (
  append: Parameters<typeof shared.auditSink>[0],
  options: Omit<shared.AuditSinkOptions, 'unavailable' | 'producer'>,
): ReturnType<typeof shared.auditSink> => shared.auditSink(append, { ...options, unavailable });
