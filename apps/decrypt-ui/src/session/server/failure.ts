import type { ApiErrorCode } from '@temporal-kms/codec-api';

/** The server's codes, and `unreachable` (no answer) and `unexpected` (an answer that breaks the contract). */
export type FailureCode = ApiErrorCode | 'unreachable' | 'unexpected';

/** A request without a result. `message` is for the reader; the code decides what the page does. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export const isAbort = (error: unknown) => error instanceof DOMException && error.name === 'AbortError';

export const failureCode = (error: unknown): FailureCode =>
  error instanceof ApiFailure ? error.code : 'unexpected';

/** Codes of requests that fail again however often they are repeated. */
const final: ReadonlySet<FailureCode> = new Set([
  'bad_request',
  'invalid_query',
  'unauthenticated',
  'forbidden',
  'justification_required',
  'not_found',
  'namespace_required',
  'too_large',
  'unsupported_media_type',
]);

/** True when repeating the request cannot help. */
export const isFinal = (error: unknown) => error instanceof ApiFailure && final.has(error.code);
