import type { RateLimit } from './rate-limits.ts';

/** One request as it was answered; a stream's time ends with its head. */
interface AnsweredRequest {
  readonly method: string;
  /** The route's pattern, never a path. */
  readonly route: string;
  readonly status: number;
  readonly ms: number;
}

/** Told by the HTTP side what it does. No label holds what comes from a caller. */
export interface HttpMeter {
  request(answered: AnsweredRequest): void;
  /** @returns to be called when the stream has ended, once or more often */
  streamOpened(): () => void;
  /** A request was answered 429 because its caller or address exceeded a rate limit. */
  rateLimited(limit: RateLimit): void;
}
