import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { isSafeUrl } from '../policy/fields.ts';
import type { Issuer } from '../policy/issuer.ts';
import type { FetchJson } from './fetch-json.ts';
import { LastGood } from './last-good.ts';

const MINUTE = 60_000;

/**
 * How long keys are used: a key that its provider has withdrawn counts for ten minutes, and for an hour while the
 * provider is out of reach. A token under a key that isn't known makes for one request every ten seconds.
 */
const lifetimes = { freshMs: 10 * MINUTE, usableMs: 60 * MINUTE, retryMs: 10_000 };

/** The provider can't be reached and no keys of it may still be used: nothing is known of the token. */
export class ProviderUnavailable extends Error {
  override readonly name = 'ProviderUnavailable';
}

export interface ProviderKeysOptions {
  readonly fetchJson: FetchJson;
  readonly now: () => number;
  /** Told each time that an issuer's keys can't be had. */
  readonly failed: (issuer: string, error: unknown) => void;
  /** Told each time that they were fetched. */
  readonly fetched?: (issuer: string) => void;
}

export interface ProviderKeys {
  /** The key that a token's header names. @throws ProviderUnavailable, or jose's error when there is no such key */
  readonly find: JWTVerifyGetKey;
  /** Gets the keys before anybody needs them; a failure is told to `failed` alone. */
  warm(): Promise<void>;
}

/**
 * Each issuer's keys, the same ones for the same issuer: a policy that is read again while an issuer is down must not
 * lose those that may still be used.
 */
export function providerKeyring(options: ProviderKeysOptions): (issuer: Issuer) => ProviderKeys {
  const known = new Map<string, ProviderKeys>();
  return (issuer) => {
    const id = JSON.stringify([issuer.issuer, issuer.keys]);
    let keys = known.get(id);
    if (keys === undefined) known.set(id, (keys = providerKeys(issuer, options)));
    return keys;
  };
}

type KeySet = ReturnType<typeof createLocalJWKSet>;

/**
 * An issuer's keys: found by discovery, renewed, and used on for a while when the issuer is down. jose's own
 * `createRemoteJWKSet` has none once its cache is stale and the issuer is down, and doesn't know of discovery.
 */
export function providerKeys(
  issuer: Issuer,
  { fetchJson, now, failed, fetched }: ProviderKeysOptions,
): ProviderKeys {
  const load = async (): Promise<KeySet> => {
    try {
      const url = 'jwks' in issuer.keys ? issuer.keys.jwks : await discovered(issuer, issuer.keys.discovery);
      const keys = createLocalJWKSet(keySet.parse(await fetchJson(url)));
      fetched?.(issuer.issuer);
      return keys;
    } catch (error) {
      failed(issuer.issuer, error);
      throw new ProviderUnavailable(`no keys of ${issuer.issuer}`, { cause: error });
    }
  };
  const discovered = async ({ issuer: iss }: Issuer, url: string): Promise<string> => {
    const document = discovery.parse(await fetchJson(url));
    // OpenID Connect Discovery 1.0, section 4.3: exactly the same, or it is somebody else's document.
    if (document.issuer !== iss) throw new Error(`${url} is of another issuer: ${document.issuer}`);
    if (
      !isSafeUrl(document.jwks_uri) ||
      (iss.startsWith('https:') && !document.jwks_uri.startsWith('https:'))
    ) {
      throw new Error(`${url} names a jwks_uri that is not https`);
    }
    return document.jwks_uri;
  };
  const keys = new LastGood(load, lifetimes, now);

  return {
    warm: async () => void (await keys.get().catch(() => undefined)),
    find: async (header, token) => {
      const known = await keys.get();
      try {
        return await known(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        const renewed = await keys.renewed();
        if (renewed === undefined || renewed === known) throw error;
        return renewed(header, token);
      }
    },
  };
}

const discovery = z.object({ issuer: z.string(), jwks_uri: z.string() });
const keySet: z.ZodType<JSONWebKeySet> = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });
