import { hash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Context } from 'hono';
import { LRUCache } from 'lru-cache';
import type { Caller } from '../access/access.ts';
import { ClientDisconnected, HttpError } from '../errors.ts';
import { KmsAllowance } from '../observability/kms-calls.ts';
import type { ByteAllowance } from '../storage/retrieval.ts';
import { type Account, Bucket, bucketOf, type RateLimit, type Rates } from './account.ts';
import { clientAddress, type Env, isResponseClosed } from './context.ts';
import { defaultLimits, type Limits } from './limits.ts';

/** Maximum number of key tests per caller per minute. A test calls Cloud KMS twice for each key. */
const KEY_TESTS = 6;

export interface RateLimits {
  /**
   * Counts an authenticated caller's request as in flight until `leave` is called. Returns the caller's
   * account.
   * @throws HttpError 429 `rate_limited` for a caller with too many refused requests, or too many requests in
   *   flight
   */
  admit(caller: Caller): Account;
  leave(account: Account): void;
  /**
   * Counts a refused request. Returns the error to respond with: the given error, or 429 `rate_limited` for
   * an address that sends too many requests without a valid token.
   */
  refused(c: Context<Env>, error: HttpError): HttpError;
  /** Counts a key test. @throws HttpError 429 `rate_limited` */
  keyTest(account: Account): void;
  /** Returns the caller's allowance of Cloud KMS requests, or undefined if there is no limit. */
  kms(account: Account): KmsAllowance | undefined;
  /**
   * Returns the caller's allowance of bytes from external storage, or undefined if there is no limit.
   * @param now `now` if `take` should throw HttpError 429 `rate_limited` instead of returning how long to
   * wait; use that allowance for one request only
   */
  storage(account: Account, now?: 'now'): ByteAllowance | undefined;
  /** Returns the 429 for a caller whose allowance of Cloud KMS requests is used up for the next `waitMs`. */
  kmsExhausted(waitMs: number): HttpError;
  /**
   * Takes Cloud KMS requests from the caller's allowance. If the allowance is used up, waits for up to half
   * of a request's time limit: Temporal's CLI waits for a response without a limit, but retries a refused
   * request for only 10 s.
   * @param bytes memory that the request holds while it waits
   * @throws HttpError 429 `rate_limited`; ClientDisconnected
   */
  takeKms(c: Context<Env>, allowance: KmsAllowance, requests: number, bytes: number): Promise<void>;
}

export interface RateLimitOptions extends Partial<Pick<Limits, 'maxRequests' | 'requestMs'>> {
  /** Called for each 429 response. */
  readonly limited?: (limit: RateLimit) => void;
}

/**
 * The share of the in-flight request limit that one caller may use. The rest is reserved for other callers.
 */
const CALLER_SHARE = 0.75;

/**
 * Maximum number of a caller's requests that wait at the same time, and the memory that each request may
 * hold.
 */
const MAX_DELAYED = 32;
const DELAYED_BYTES = 256 * 1024;

export function createRateLimits(rates: Rates, options: RateLimitOptions = {}): RateLimits {
  const { limited, maxRequests = defaultLimits.maxRequests, requestMs = defaultLimits.requestMs } = options;
  const accounts = new LRUCache<string, Account>({
    max: MAX_BUCKETS,
    memoMethod: () => ({
      kms: bucketOf(rates.kmsRequests),
      storage: bucketOf(rates.storageBytes),
      refused: bucketOf(rates.refused),
      keyTests: new Bucket(KEY_TESTS),
      inFlight: 0,
      delayed: 0,
      turnsEnd: 0,
    }),
  });
  const addresses = new LRUCache<string, { readonly refused: Bucket | undefined }>({
    max: MAX_BUCKETS,
    memoMethod: () => ({ refused: bucketOf(rates.refused) }),
  });
  const mostInFlight = Math.ceil(maxRequests * CALLER_SHARE);
  const tooMany = (limit: RateLimit, what: string, waitMs: number): HttpError => {
    limited?.(limit);
    const seconds = Math.max(1, Math.ceil(waitMs / 1_000));
    return new HttpError(429, 'rate_limited', `${what} Try again in ${seconds} s.`, {
      retryAfter: seconds,
      loggable: true,
    });
  };
  const refusedLimit = `${rates.refused} per minute, CODEC_RATE_REFUSED`;
  const kmsExhausted = (waitMs: number): HttpError =>
    tooMany(
      'kmsRequests',
      `You exceeded the limit of Cloud KMS requests per caller (${rates.kmsRequests} per minute, ` +
        "CODEC_RATE_KMS_REQUESTS). Ask this server's operator to raise the limit if you need more.",
      waitMs,
    );
  const storageExhausted = (waitMs: number): HttpError =>
    tooMany(
      'storageBytes',
      `You exceeded the limit of bytes from external storage per caller (${rates.storageBytes} per minute, ` +
        "CODEC_RATE_STORAGE_BYTES). Ask this server's operator to raise the limit if you need more.",
      waitMs,
    );
  return {
    admit: (caller) => {
      const account = accounts.memo(identityOf(caller));
      const wait = account.refused?.waitMs() ?? 0;
      if (wait > 0) {
        throw tooMany(
          'refused',
          `This server refused too many of your requests (${refusedLimit}). The earlier responses contain the reasons.`,
          wait,
        );
      }
      if (account.inFlight >= mostInFlight) {
        throw tooMany(
          'inFlight',
          `You have ${mostInFlight} requests in flight, the limit for one caller: three quarters of ` +
            'CODEC_MAX_REQUESTS. Send fewer requests at the same time.',
          0,
        );
      }
      account.inFlight += 1;
      return account;
    },
    leave: (account) => void (account.inFlight -= 1),
    refused: (c, error) => {
      const account = c.get('account');
      if (c.get('caller') !== undefined) {
        account?.refused?.take(1);
        return error;
      }
      const wait = addresses.memo(networkOf(clientAddress(c))).refused?.take(1) ?? 0;
      if (wait === 0) return error;
      return tooMany(
        'unauthenticated',
        `Your address sent too many requests without a valid token (${refusedLimit}). Send a valid token.`,
        wait,
      );
    },
    keyTest: (account) => {
      const wait = account.keyTests.take(1);
      if (wait > 0) throw tooMany('keyTests', `You may test keys ${KEY_TESTS} times per minute.`, wait);
    },
    kms: ({ kms }) => kms && new KmsAllowance(kms),
    storage: ({ storage }, now) =>
      storage === undefined || now === undefined ? storage : atOnce(storage, storageExhausted),
    kmsExhausted,
    takeKms: async (c, allowance, requests, bytes) => {
      const account = c.get('account');
      const until = performance.now() + requestMs / 2;
      for (;;) {
        const wait = allowance.take(requests);
        if (wait === 0) return;
        const left = until - performance.now();
        if (wait > left || bytes > DELAYED_BYTES || account.delayed >= MAX_DELAYED) throw kmsExhausted(wait);
        account.delayed += 1;
        await delay(wait);
        account.delayed -= 1;
        if (isResponseClosed(c)) throw new ClientDisconnected();
      }
    },
  };
}

/**
 * Returns an allowance for one request, which throws instead of waiting. `Retry-After` covers everything that
 * the request has taken so far, because a repeated request takes all of it again.
 */
function atOnce(bucket: Bucket, exhausted: (waitMs: number) => HttpError): ByteAllowance {
  let total = 0;
  return {
    take: (bytes) => {
      const wait = bucket.take(bytes, total);
      if (wait > 0) throw exhausted(wait);
      total += bytes;
      return wait;
    },
    settle: (taken, used) => {
      total -= taken;
      bucket.settle(taken, used, total);
      total += used;
    },
  };
}

/**
 * Maximum number of tracked callers, and of tracked addresses. The least recently used entry is evicted
 * first.
 */
const MAX_BUCKETS = 10_000;

const MAX_IDENTITY = 256;

/**
 * Returns an identity that is the same for all of a subject's tokens. Hashes a long identity, because the
 * result stays in memory.
 */
function identityOf({ issuer = '', subject, name }: Caller): string {
  const identity = `${issuer} ${subject ?? name}`;
  return identity.length > MAX_IDENTITY ? hash('sha256', identity, 'base64') : identity;
}

/**
 * Returns an IPv4 address, or the /64 network of an IPv6 address, because one client may use all addresses in
 * its network.
 */
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
