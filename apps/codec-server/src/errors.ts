import type { ApiErrorCode } from '@temporal-kms/codec-api';
import { codeOf, messageOf } from '@temporal-kms/node-utils/error-details';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

export { codeOf, messageOf };

interface HttpErrorOptions {
  /** Seconds for the response header `Retry-After`. */
  readonly retryAfter?: number;
  /** The value of the response header `WWW-Authenticate`. */
  readonly challenge?: string;
  readonly cause?: unknown;
  /**
   * `true` if the message may be logged, because it contains nothing from the caller. A string is logged
   * instead of the message.
   */
  readonly loggable?: boolean | string;
}

/**
 * An error with its HTTP status and API error code. The caller receives `message`: what failed, why, and what
 * to do. The message contains no payload, token or internal address.
 */
export class HttpError extends Error {
  readonly status: ContentfulStatusCode;
  readonly code: ApiErrorCode;
  readonly retryAfter: number | undefined;
  readonly challenge: string | undefined;
  readonly loggable: boolean | string;

  constructor(
    status: ContentfulStatusCode,
    code: ApiErrorCode,
    message: string,
    options: HttpErrorOptions = {},
  ) {
    super(message, { cause: options.cause });
    this.status = status;
    this.code = code;
    this.retryAfter = options.retryAfter;
    this.challenge = options.challenge;
    this.loggable = options.loggable ?? false;
  }
}

/** Whether the error means that the audit could not be written, so that the whole request must fail. */
export const isAuditUnavailable = (error: unknown): error is HttpError =>
  error instanceof HttpError && error.code === 'audit_unavailable';

export const badRequest = (message: string, cause?: unknown): HttpError =>
  new HttpError(400, 'bad_request', message, { cause });

/** The client no longer waits for the response, because it disconnected or the request timed out. */
export class ClientDisconnected extends HttpError {
  constructor() {
    super(504, 'timeout', 'The client disconnected.', { loggable: true });
  }
}

/**
 * Returns the error's message and its cause's message or code, because `fetch` throws `fetch failed` for
 * every cause.
 */
export function withCause(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? messageOf(error) : `${messageOf(error)}: ${codeOf(cause) ?? messageOf(cause)}`;
}

/** Returns the name of an unexpected error, to be logged instead of its message, which may quote data. */
export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);
