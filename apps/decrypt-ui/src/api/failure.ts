import type { ApiErrorCode } from '@temporal-kms/codec-api';

/** `unreachable`: no answer; `unexpected`: an answer that isn't in the contract. */
export type FailureCode = ApiErrorCode | 'unreachable' | 'unexpected';

/** Why a request has no result. `message` is for people; `code` is for decisions. */
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

/** Another try can't help: the request itself, or what it asks for, is wrong. */
const final: ReadonlySet<FailureCode> = new Set([
  'bad_request',
  'invalid_query',
  'unauthenticated',
  'forbidden',
  'not_found',
  'namespace_required',
  'too_large',
  'unsupported_media_type',
]);

export const isFinal = (error: unknown) => error instanceof ApiFailure && final.has(error.code);
