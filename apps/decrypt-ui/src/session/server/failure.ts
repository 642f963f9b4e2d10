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

/** A request without an answer in time. The page has waited long enough, so it is not repeated at once. */
export class NoAnswer extends ApiFailure {
  constructor(what: string, millis: number) {
    super('unreachable', `${what} did not answer within ${millis / 1000} seconds.`);
  }
}

export const unexpectedAnswer = (cause?: unknown) =>
  new ApiFailure(
    'unexpected',
    'The codec server’s answer does not match this page’s API. Deploy the same version of both.',
    { cause },
  );

export const connectionBroke = (cause?: unknown) =>
  new ApiFailure('unreachable', 'The connection to the codec server broke.', { cause });

/** Returns an error as a failure: one that is not expected keeps its text. */
export const failureOf = (error: unknown): ApiFailure =>
  error instanceof ApiFailure ? error : new ApiFailure('unexpected', String(error));

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
