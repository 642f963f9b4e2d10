import type { ApiErrorCode } from '@temporal-kms/codec-api';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

interface RefusalOptions {
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
export class Refusal extends Error {
  readonly status: ContentfulStatusCode;
  readonly code: ApiErrorCode;
  readonly retryAfter: number | undefined;
  readonly challenge: string | undefined;
  readonly loggable: boolean;

  constructor(
    status: ContentfulStatusCode,
    code: ApiErrorCode,
    message: string,
    options: RefusalOptions = {},
  ) {
    super(message, { cause: options.cause });
    this.status = status;
    this.code = code;
    this.retryAfter = options.retryAfter;
    this.challenge = options.challenge;
    this.loggable = options.loggable ?? false;
  }
}

export const badRequest = (message: string, cause?: unknown): Refusal =>
  new Refusal(400, 'bad_request', message, { cause });

/** Nobody waits for the answer any more. */
export class GoneError extends Refusal {
  constructor() {
    super(504, 'timeout', 'Whoever asked is no longer there.', { loggable: true });
  }
}
