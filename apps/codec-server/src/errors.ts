import type { ApiErrorCode } from '@temporal-kms/codec-api';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

interface HttpErrorOptions {
  /** Seconds; sent as `Retry-After`. */
  readonly retryAfter?: number;
  /** How to sign in; sent as `WWW-Authenticate`. */
  readonly challenge?: string;
  readonly cause?: unknown;
  /** Nothing in the message comes from a caller, so the log may have it. */
  readonly loggable?: boolean;
}

/**
 * Why a request is not served. `message` goes to the caller: it says what is wrong and what to do, and holds no
 * payload, token or internal address.
 */
export class HttpError extends Error {
  readonly status: ContentfulStatusCode;
  readonly code: ApiErrorCode;
  readonly retryAfter: number | undefined;
  readonly challenge: string | undefined;
  readonly loggable: boolean;

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

export const badRequest = (message: string, cause?: unknown): HttpError =>
  new HttpError(400, 'bad_request', message, { cause });

/** Nobody waits for the answer any more. */
export class ClientDisconnected extends HttpError {
  constructor() {
    super(504, 'timeout', 'Whoever asked is no longer there.', { loggable: true });
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** With what lies behind it: `fetch` says of every failure that it failed. */
export function withCause(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? messageOf(error) : `${messageOf(error)}: ${codeOf(cause) ?? messageOf(cause)}`;
}

/** For faults that nobody foresaw: their messages may quote what was being read. */
export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

/** Node's own code, such as `EACCES`. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
