import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { isSafeUrl, type Issuer } from './policy.ts';

const MINUTE = 60_000;

/**
 * How long the server uses an issuer's keys. The server accepts a withdrawn key for up to ten minutes, or
 * for up to an hour while the issuer is unreachable. Tokens signed with unknown keys cause at most one
 * request to the issuer every ten seconds.
 */
const lifetimes = { freshMs: 10 * MINUTE, usableMs: 60 * MINUTE, retryMs: 10_000 };

/** The issuer is unreachable and no cached keys are usable, so a token can be neither accepted nor rejected. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

export interface IssuerKeysOptions {
  readonly fetchJson: FetchJson;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called when an issuer's keys could not be fetched. */
  readonly failed: (issuer: string, error: unknown) => void;
  /** Called when an issuer's keys were fetched. */
  readonly fetched?: (issuer: string) => void;
}

export interface IssuerKeys {
  /** Fetches the keys before the first token arrives. Never rejects. */
  warm(): Promise<void>;
  /**
   * Resolves to the key that signed a token.
   * @throws KeysUnavailable, or jose's error if the issuer has no such key
   */
  readonly find: JWTVerifyGetKey;
}

/** Returns a function that returns an issuer's keys. Cached keys survive a reload of the policy. */
export function issuerKeyring(options: IssuerKeysOptions): (issuer: Issuer) => IssuerKeys {
  const known = new Map<string, IssuerKeys>();
  return (issuer) => {
    const id = JSON.stringify([issuer.issuer, issuer.keys]);
    let keys = known.get(id);
    if (keys === undefined) known.set(id, (keys = issuerKeys(issuer, options)));
    return keys;
  };
}

type KeySet = ReturnType<typeof createLocalJWKSet>;

/**
 * Returns an issuer's keys. Finds the keys by discovery, refreshes them, and uses stale keys for a limited
 * time while the issuer is unreachable. Replaces jose's `createRemoteJWKSet`, which has no discovery, and
 * rejects every token if its cache is stale and the issuer is unreachable.
 */
export function issuerKeys(
  issuer: Issuer,
  { fetchJson: fetchDocument, now, failed, fetched }: IssuerKeysOptions,
): IssuerKeys {
  const load = async (): Promise<KeySet> => {
    try {
      const url = 'jwks' in issuer.keys ? issuer.keys.jwks : await discover(issuer, issuer.keys.discovery);
      const keys = createLocalJWKSet(keySet.parse(await fetchDocument(url)));
      fetched?.(issuer.issuer);
      return keys;
    } catch (error) {
      failed(issuer.issuer, error);
      throw new KeysUnavailable(`cannot fetch signing keys from ${issuer.issuer}`, { cause: error });
    }
  };
  const discover = async ({ issuer: iss }: Issuer, url: string): Promise<string> => {
    const document = discovery.parse(await fetchDocument(url));
    // OpenID Connect Discovery 1.0, section 4.3: the issuer must match exactly.
    if (document.issuer !== iss) throw new Error(`${url} belongs to another issuer: ${document.issuer}`);
    if (
      !isSafeUrl(document.jwks_uri) ||
      (iss.startsWith('https:') && !document.jwks_uri.startsWith('https:'))
    ) {
      throw new Error(`${url} names a jwks_uri that is not https`);
    }
    return document.jwks_uri;
  };
  const keys = new RefreshedValue(load, lifetimes, now);

  return {
    warm: async () => void (await keys.get().catch(() => undefined)),
    find: async (header, token) => {
      const known = await keys.get();
      try {
        return await known(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        const refreshed = await keys.refresh();
        if (refreshed === undefined) throw error;
        return refreshed(header, token);
      }
    },
  };
}

const discovery = z.object({ issuer: z.string(), jwks_uri: z.string() });
/** RFC 7517 section 5: unusable keys do not make the other keys of the set unusable. */
const keySet: z.ZodType<JSONWebKeySet> = z.object({ keys: z.array(z.looseObject({})) });

export interface RefreshedValueOptions {
  /** How long a value is used without an attempt to load a newer value, in milliseconds. */
  readonly freshMs: number;
  /** How long a value is used while attempts to load a newer value fail, in milliseconds. */
  readonly usableMs: number;
  /** Minimum time between the starts of two attempts, in milliseconds. */
  readonly retryMs: number;
}

/**
 * A value that is loaded again when stale, and is used for a bounded time if loading fails (stale-if-error in
 * RFC 5861). However many callers there are, at most one attempt is in flight, and at most one attempt starts
 * every `retryMs`. Used instead of lru-cache, whose option `allowStaleOnFetchRejection` limits neither the
 * age of a stale value nor the attempts.
 */
export class RefreshedValue<T> {
  readonly #load: () => Promise<T>;
  readonly #options: RefreshedValueOptions;
  readonly #now: () => number;
  #value: { readonly value: T; readonly at: number } | undefined;
  #attempt: { readonly at: number; readonly result: Promise<T> } | undefined;
  // Stryker disable next-line BooleanLiteral: the initial value has no effect, because there is no
  // attempt yet.
  #isPending = false;

  constructor(load: () => Promise<T>, options: RefreshedValueOptions, now: () => number) {
    this.#load = load;
    this.#options = options;
    this.#now = now;
  }

  /** Resolves to the value. @throws what the last attempt threw, if no value is usable */
  async get(): Promise<T> {
    const { freshMs, usableMs } = this.#options;
    const last = this.#value;
    if (last && this.#now() - last.at < freshMs) return last.value;
    try {
      return await this.#try();
    } catch (error) {
      if (last && this.#now() - last.at < usableMs) return last.value;
      throw error;
    }
  }

  /** Loads the value now. Resolves to undefined if the last attempt was less than `retryMs` ago. */
  async refresh(): Promise<T | undefined> {
    return this.#isResting() ? undefined : this.#try();
  }

  #isResting(): boolean {
    return (
      !this.#isPending &&
      this.#attempt !== undefined &&
      this.#now() - this.#attempt.at < this.#options.retryMs
    );
  }

  /**
   * Returns the attempt in flight, the last attempt if it started less than `retryMs` ago, or else a new
   * attempt.
   */
  #try(): Promise<T> {
    if (this.#attempt && (this.#isPending || this.#isResting())) return this.#attempt.result;
    this.#isPending = true;
    const result = this.#load()
      .then((value) => {
        this.#value = { value, at: this.#now() };
        return value;
      })
      .finally(() => {
        this.#isPending = false;
      });
    this.#attempt = { at: this.#now(), result };
    return result;
  }
}

/** Fetches a JSON document from an issuer. @throws Error that names the cause */
export type FetchJson = (url: string) => Promise<unknown>;

/**
 * Time limit for a request to an issuer. While an issuer is unreachable, callers wait this long once every
 * ten seconds.
 */
const TIMEOUT_MS = 3_000;
/**
 * Maximum size of a response in bytes. The limit is far above the size of any key set, and prevents a
 * response from filling the memory.
 */
const MAX_BYTES = 1024 * 1024;

/** Does not follow redirects: only the server that the policy names can publish keys. */
export const fetchJson: FetchJson = async (url) => {
  const timeout = new AbortController();
  const timer = new WaitTimer(TIMEOUT_MS, () =>
    timeout.abort(new Error(`No response within ${TIMEOUT_MS} ms`)),
  );
  // Stryker disable next-line ArrowFunction: without `stop`, the timer would abort a request that has ended.
  return fetchWithin(url, timeout.signal).finally(() => timer.stop());
};

async function fetchWithin(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, { headers: { accept: 'application/json' }, redirect: 'error', signal });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new Error(`${url} returned status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.length;
    if (length > MAX_BYTES) throw new Error(`${url} returned more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
}
