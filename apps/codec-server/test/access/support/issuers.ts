import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import type { Issuer } from '../../../src/access/policy/issuer.ts';
import type { Policy } from '../../../src/access/policy/policy.ts';
import type { FetchJson } from '../../../src/access/tokens/fetch-json.ts';

/** The keys of the issuers of a policy, and the documents that they would publish. */
export interface Issuers {
  readonly fetchJson: FetchJson;
  /** What was asked for, in order. */
  readonly asked: string[];
  /** A good token, or one that `changes` make bad. A claim or header that is undefined is left out. */
  token(name: string, claims: JWTPayload, changes?: Changes): Promise<string>;
  publicKey(name: string): KeyObject;
  privateKey(name: string): KeyObject;
}

export interface Changes {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly key?: KeyObject | Uint8Array;
}

const KEY_ID = 'first';

export const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

const typeOf: Record<Issuer['tokens'], string> = {
  access: 'at+jwt',
  'access-untyped': 'JWT',
  id: 'JWT',
  assertion: 'JWT',
};

export async function issuersOf(policy: Policy, now: () => number): Promise<Issuers> {
  const keys = new Map<string, { publicKey: KeyObject; privateKey: KeyObject }>();
  const documents = new Map<string, unknown>();
  for (const [name, issuer] of Object.entries(policy.issuers)) {
    const pair = issuer.tokens === 'assertion' ? ec() : rsa();
    keys.set(name, pair);
    const set = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: KEY_ID, use: 'sig' }] };
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
    if (!issuer) throw new Error(`no issuer ${name}`);
    return issuer;
  };
  return {
    asked,
    publicKey: (name) => keys.get(name)!.publicKey,
    privateKey: (name) => keys.get(name)!.privateKey,
    fetchJson: async (url) => {
      asked.push(url);
      if (!documents.has(url)) throw new Error(`nothing is at ${url}`);
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
      return new SignJWT(payload)
        .setProtectedHeader({ ...header, alg })
        .sign(changes.key ?? keys.get(name)!.privateKey);
    },
  };
}

const without = (object: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
