import { hash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { Context } from 'hono';
import { TokenBucket } from 'limiter';
import { LRUCache } from 'lru-cache';
import type { Caller } from '../access/access.ts';
import { HttpError } from '../errors.ts';
import { KmsAllowance, type KmsBucket } from '../observability/kms-calls.ts';
import { clientAddress, type Env } from './context.ts';

/** Limits per minute. A caller may use a whole minute's amount at once. Absent: no limit. */
export interface Rates {
  /** Requests of one caller. */
  readonly requests?: number | undefined;
  /** Cloud KMS requests that one caller causes. */
  readonly kmsRequests?: number | undefined;
  /** Rejected requests of one address without a valid token. */
  readonly unauthenticated?: number | undefined;
}

/** The limit that a caller exceeded, for the metrics. */
export type RateLimit = keyof Rates | 'keyTests';

/** Tests of keys per minute and caller: each calls Cloud KMS twice for each key. */
const KEY_TESTS = 6;

export interface RateLimits {
  /** Counts a request of an authenticated caller. @throws HttpError 429 `rate_limited` */
  request(caller: Caller): void;
  /** Counts a test of keys. @throws HttpError 429 `rate_limited` */
  keyTest(caller: Caller): void;
  /** Counts a rejected request without a valid token. @returns HttpError 429 `rate_limited` to answer instead */
  unauthenticated(c: Context<Env>): HttpError | undefined;
  /** Returns the caller's allowance of Cloud KMS requests; undefined: no limit. */
  kms(caller: Caller): KmsAllowance | undefined;
  /** Returns the 429 for a caller whose allowance of Cloud KMS requests is used up for `waitMs`. */
  kmsExhausted(waitMs: number): HttpError;
}

/** @param limited called for each 429 */
export function createRateLimits(
  rates: Rates,
  limited: (limit: RateLimit) => void = () => undefined,
): RateLimits {
  const requests = bucketsOf(rates.requests);
  const kms = bucketsOf(rates.kmsRequests);
  const unauthenticated = bucketsOf(rates.unauthenticated);
  const keyTests = bucketsOf(KEY_TESTS);
  const tooMany = (limit: RateLimit, what: string, waitMs: number): HttpError => {
    limited(limit);
    const seconds = Math.max(1, Math.ceil(waitMs / 1_000));
    return new HttpError(429, 'rate_limited', `${what}; try again in ${seconds} s.`, {
      retryAfter: seconds,
      loggable: true,
    });
  };
  return {
    request: (caller) => {
      const wait = requests?.memo(identityOf(caller)).take(1) ?? 0;
      if (wait > 0) throw tooMany('requests', "You exceeded this server's rate limit for requests", wait);
    },
    keyTest: (caller) => {
      const wait = keyTests.memo(identityOf(caller)).take(1);
      if (wait > 0) throw tooMany('keyTests', `You may test keys ${KEY_TESTS} times per minute`, wait);
    },
    unauthenticated: (c) => {
      const wait = unauthenticated?.memo(networkOf(clientAddress(c))).take(1) ?? 0;
      if (wait === 0) return undefined;
      return tooMany('unauthenticated', 'Your address sent too many requests without a valid token', wait);
    },
    kms: (caller) => kms && new KmsAllowance(kms.memo(identityOf(caller))),
    kmsExhausted: (waitMs) =>
      tooMany('kmsRequests', "You exceeded this server's rate limit for Cloud KMS requests", waitMs),
  };
}

const MINUTE_MS = 60_000;

/** Most callers or addresses that are tracked; the least recently used is evicted first. */
const MAX_BUCKETS = 10_000;

type Buckets = LRUCache<string, Bucket>;

function bucketsOf(perMinute: number): Buckets;
function bucketsOf(perMinute: number | undefined): Buckets | undefined;
function bucketsOf(perMinute: number | undefined): Buckets | undefined {
  if (perMinute === undefined) return undefined;
  return new LRUCache<string, Bucket>({ max: MAX_BUCKETS, memoMethod: () => new Bucket(perMinute) });
}

/** A token bucket that starts full, on a monotonic clock. */
class Bucket implements KmsBucket {
  readonly #tokens: TokenBucket;

  constructor(perMinute: number) {
    this.#tokens = new TokenBucket({
      bucketSize: perMinute,
      tokensPerInterval: perMinute,
      interval: MINUTE_MS,
    });
    this.#tokens.content = perMinute;
  }

  take(count: number): number {
    // A request that needs more tokens than the bucket holds is accepted when the bucket is full.
    const most = Math.min(count, this.#tokens.bucketSize);
    return this.#tokens.tryRemoveTokens(most) ? 0 : Math.max(1, this.#tokens.getWaitTime(most));
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
}

const MAX_IDENTITY = 256;

/** Returns the same text for all tokens of a subject. A long subject is hashed, since it stays in memory. */
function identityOf({ issuer = '', subject, name }: Caller): string {
  const identity = `${issuer} ${subject ?? name}`;
  return identity.length > MAX_IDENTITY ? hash('sha256', identity, 'base64') : identity;
}

/** Returns an IPv4 address, or the /64 network of an IPv6 address: one client may use all addresses of its network. */
function networkOf(address = ''): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array<string>(Math.max(0, zeros)).fill('0'), ...right];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
