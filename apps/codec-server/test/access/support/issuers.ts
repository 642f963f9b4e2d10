import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { CompactSign, exportJWK, type JWTPayload } from 'jose';
import type { Access } from '../../../src/access/access.ts';
import { type FetchJson, issuerKeyring } from '../../../src/access/issuer-keys.ts';
import { policyAccess } from '../../../src/access/policy-access.ts';
import type { Issuer, Policy } from '../../../src/access/policy.ts';

/** The keys of a policy's issuers, and the documents that the issuers would publish. */
export interface Issuers {
  readonly fetchJson: FetchJson;
  /** The URLs that the server has fetched, oldest first. */
  readonly asked: string[];
  /**
   * Resolves to a token that is valid except for `changes`. A claim or header that is undefined is left out.
   */
  token(name: string, claims: JWTPayload, changes?: Changes): Promise<string>;
  publicKey(name: string): KeyObject;
  /** Returns a key that the issuer has not published. */
  strange(name: string): KeyPair;
  /**
   * Returns changes that sign with a key that the issuer has published, but with an algorithm that the policy
   * does not list.
   */
  unlisted(name: string): Changes;
}

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export interface Changes {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly key?: KeyObject | Uint8Array;
  /** Changes the claims' JSON before the token is signed. */
  readonly json?: (text: string) => string;
}

const KEY_ID = 'first';
const UNLISTED = 'ES384';

export const rsa = (): KeyPair => generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = (namedCurve: string): KeyPair => generateKeyPairSync('ec', { namedCurve });
const newPair = ({ tokens }: Issuer): KeyPair => (tokens === 'assertion' ? ec('P-256') : rsa());

const typeOf: Record<Issuer['tokens'], string> = {
  access: 'at+jwt',
  'access-untyped': 'JWT',
  id: 'JWT',
  assertion: 'JWT',
};

export async function issuersOf(policy: Policy, now: () => number): Promise<Issuers> {
  const keys = new Map<string, Record<'own' | 'unlisted', KeyPair>>();
  const strangers = new Map<string, KeyPair>();
  const documents = new Map<string, unknown>();
  for (const [name, issuer] of Object.entries(policy.issuers)) {
    const pairs = { own: newPair(issuer), unlisted: ec('P-384') };
    keys.set(name, pairs);
    const set = { keys: [await published(pairs.own, KEY_ID), await published(pairs.unlisted, UNLISTED)] };
    if ('jwks' in issuer.keys) documents.set(issuer.keys.jwks, set);
    else {
      const jwks = `${issuer.issuer}keys`;
      documents.set(issuer.keys.discovery, { issuer: issuer.issuer, jwks_uri: jwks });
      documents.set(jwks, set);
    }
  }
  const asked: string[] = [];
  const named = (name: string) => {
    const issuer = policy.issuers[name];
    if (!issuer) throw new Error(`The policy names no issuer ${name}.`);
    return issuer;
  };
  return {
    asked,
    publicKey: (name) => keys.get(name)!.own.publicKey,
    strange: (name) => {
      const pair = strangers.get(name) ?? newPair(named(name));
      strangers.set(name, pair);
      return pair;
    },
    unlisted: (name) => {
      if (named(name).algorithms.includes(UNLISTED)) throw new Error(`${name} lists ${UNLISTED}`);
      return { header: { alg: UNLISTED, kid: UNLISTED }, key: keys.get(name)!.unlisted.privateKey };
    },
    fetchJson: async (url) => {
      asked.push(url);
      if (!documents.has(url)) throw new Error(`No document is at ${url}.`);
      return documents.get(url);
    },
    token: async (name, claims, changes = {}) => {
      const issuer = named(name);
      const seconds = Math.floor(now() / 1_000);
      const payload = without({
        iss: issuer.issuer,
        aud: issuer.audience[0],
        sub: 'subject-1',
        iat: seconds,
        exp: seconds + 600,
        ...claims,
        ...changes.claims,
      });
      const header = without({
        alg: issuer.tokens === 'assertion' ? 'ES256' : 'RS256',
        kid: KEY_ID,
        typ: typeOf[issuer.tokens],
        ...changes.header,
      });
      const alg = typeof header['alg'] === 'string' ? header['alg'] : '';
      const json = JSON.stringify(payload);
      return new CompactSign(Buffer.from(changes.json?.(json) ?? json))
        .setProtectedHeader({ ...header, alg })
        .sign(changes.key ?? keys.get(name)!.own.privateKey);
    },
  };
}

/** Returns the `Access` for a policy, with issuers that publish their keys in memory. */
export function accessOf(policy: Policy, issuers: Issuers): Access {
  const keysOf = issuerKeyring({
    fetchJson: issuers.fetchJson,
    now: Date.now,
    failed: (issuer, error) => {
      throw new Error(`The keys of ${issuer} could not be fetched: ${String(error)}`);
    },
  });
  return policyAccess(policy, { now: Date.now, keysOf });
}

const published = async ({ publicKey }: KeyPair, kid: string) => ({
  ...(await exportJWK(publicKey)),
  kid,
  use: 'sig',
});

const without = (object: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
