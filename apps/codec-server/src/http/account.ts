import { TokenBucket } from 'limiter';
import type { KmsBucket } from '../observability/kms-calls.ts';
import type { TurnTaker } from '../turns/fair-turns.ts';

/**
 * Limits per minute. A caller may use a minute's whole amount in one burst. An absent field means
 * no limit.
 */
export interface Rates {
  /** Cloud KMS requests that one caller's requests cause. */
  readonly kmsRequests?: number | undefined;
  /** Bytes of external storage that one caller's requests read. */
  readonly storageBytes?: number | undefined;
  /** Refused requests (4xx) per caller, and per address for requests without a valid token. */
  readonly refused?: number | undefined;
}

/** The limit that a caller or an address exceeded, for the metrics. */
export type RateLimit = keyof Rates | 'unauthenticated' | 'inFlight' | 'keyTests';

/** A caller's current use and remaining allowances. All tokens of a subject share one account. */
export interface Account extends TurnTaker {
  readonly kms: Bucket | undefined;
  readonly storage: Bucket | undefined;
  readonly refused: Bucket | undefined;
  readonly keyTests: Bucket;
  inFlight: number;
  /** Number of requests that wait until further Cloud KMS requests are allowed. */
  delayed: number;
}

const MINUTE_MS = 60_000;

/** @param perMinute undefined for no limit */
export const bucketOf = (perMinute: number | undefined): Bucket | undefined =>
  perMinute === undefined ? undefined : new Bucket(perMinute);

/** A token bucket that starts full, on a monotonic clock. */
export class Bucket implements KmsBucket {
  readonly #tokens: TokenBucket;

  constructor(perMinute: number) {
    this.#tokens = new TokenBucket({
      bucketSize: perMinute,
      tokensPerInterval: perMinute,
      interval: MINUTE_MS,
    });
    this.#tokens.content = perMinute;
  }

  /** @param held what the same request has already taken */
  take(count: number, held = 0): number {
    // A request that needs more tokens than the bucket can hold is accepted once the bucket is full.
    const { bucketSize } = this.#tokens;
    const most = Math.min(held + count, bucketSize);
    const more = Math.max(0, most - held);
    return this.#tokens.tryRemoveTokens(more) ? 0 : Math.max(1, this.#tokens.getWaitTime(most));
  }

  available(): number {
    this.#tokens.drip();
    return Math.floor(this.#tokens.content);
  }

  waitMs(): number {
    return this.#tokens.getWaitTime(1);
  }

  charge(count: number): void {
    this.#tokens.content -= count;
  }

  /**
   * Adjusts a successful `take(taken)` to the number of tokens that were used. Gives back at most the tokens
   * that `take` removed.
   * @param held what the same request holds in addition
   */
  settle(taken: number, used: number, held = 0): void {
    const { bucketSize, content } = this.#tokens;
    const removed = Math.min(held + taken, Math.max(bucketSize, held + used));
    this.#tokens.content = Math.min(bucketSize, content + removed - held - used);
  }
}
