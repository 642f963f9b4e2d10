import { createServer, type ServerResponse } from 'node:http';
import { closeServer, listenOnLoopback } from '@temporal-kms/testing/network';
import { exportJWK, SignJWT } from 'jose';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { parsePolicy } from '../../src/access/policy.ts';
import {
  type FetchJson,
  fetchJson,
  issuerKeys,
  KeysUnavailable,
  RefreshedValue,
} from '../../src/access/issuer-keys.ts';
import { verifier } from '../../src/access/tokens.ts';
import { rsa } from './support/issuers.ts';

const pair = rsa();
const other = rsa();

const asked: string[] = [];
const pages = new Map<string, (response: ServerResponse) => void>();
const accepted: unknown[] = [];
const server = createServer((request, response) => {
  asked.push(request.url ?? '');
  accepted.push(request.headers.accept);
  const page = pages.get(request.url ?? '');
  if (page) page(response);
  else response.writeHead(404).end();
});
const origin = `http://127.0.0.1:${await listenOnLoopback(server)}`;
afterAll(() => closeServer(server));
beforeEach(() => {
  asked.length = 0;
  pages.clear();
});

const json = (value: unknown) => (response: ServerResponse) =>
  void response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
const DISCOVERY = '/.well-known/openid-configuration';

const issuerAt = (issuer: string) => {
  const policy = parsePolicy(
    `issuers: { company: { type: oidc, issuer: '${issuer}', audience: codec, tokens: access } }\n...`,
  );
  return policy.issuers['company']!;
};

const token = (
  issuer: string,
  header: Record<string, unknown> = {},
  key = pair.privateKey,
): Promise<string> =>
  new SignJWT({ iss: issuer, aud: 'codec', sub: 'ana' })
    .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', ...header })
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(key);

/** Looks up a key while no keys are cached, and resolves to the reason for the failure. */
async function failureOf(issuer: string, from: FetchJson = fetchJson): Promise<string> {
  const failures: unknown[] = [];
  const keys = issuerKeys(issuerAt(issuer), {
    fetchJson: from,
    now: Date.now,
    failed: (_, error) => failures.push(error),
  });
  const found = keys.find({ alg: 'RS256' }, { payload: '', signature: '' });
  await expect(found).rejects.toThrow(KeysUnavailable);
  await expect(found).rejects.toMatchObject({ cause: failures[0] });
  return String(failures[0]);
}

describe('issuerKeys', () => {
  it('accepts no keys from a redirect', async () => {
    pages.set(DISCOVERY, (response) => response.writeHead(302, { location: `${origin}/elsewhere` }).end());
    pages.set('/elsewhere', json({ issuer: origin, jwks_uri: `${origin}/jwks` }));
    await failureOf(origin);
    expect(asked).toEqual([DISCOVERY]);
  });

  it("accepts no keys from another issuer's document", async () => {
    pages.set(DISCOVERY, json({ issuer: 'https://other.example.com', jwks_uri: `${origin}/jwks` }));
    expect(await failureOf(origin)).toContain('belongs to another issuer');
    expect(asked).toEqual([DISCOVERY]);
  });

  it('accepts no keys over http if the issuer uses https', async () => {
    for (const jwks of ['http://login.example.com/jwks', 'http://127.0.0.1:80/jwks', 'file:///etc/passwd']) {
      const from: string[] = [];
      const reason = await failureOf('https://login.example.com', async (url) => {
        from.push(url);
        return { issuer: 'https://login.example.com', jwks_uri: jwks };
      });
      expect(reason).toContain('not https');
      expect(from).toEqual([`https://login.example.com${DISCOVERY}`]);
    }
  });

  it('accepts no keys from a response larger than one mebibyte', async () => {
    pages.set(DISCOVERY, (response) => void response.end(`"${'x'.repeat(1024 * 1024)}"`));
    expect(await failureOf(origin)).toContain('more than 1048576 bytes');
  });

  it.each<[what: string, page: unknown]>([
    ['a key set without keys', {}],
    ['a key set whose keys are text', { keys: 'none' }],
    ['a response that is not a key set', 'text'],
  ])('accepts no keys from %s', async (_, page) => {
    pages.set(DISCOVERY, json({ issuer: origin, jwks_uri: `${origin}/jwks` }));
    pages.set('/jwks', json(page));
    await failureOf(origin);
  });

  it('fetches the keys over https if the issuer uses https', async () => {
    const jwks = 'https://keys.example.com/jwks';
    const from: string[] = [];
    await failureOf('https://login.example.com', async (url) => {
      from.push(url);
      return { issuer: 'https://login.example.com', jwks_uri: jwks };
    });
    expect(from).toEqual([`https://login.example.com${DISCOVERY}`, jwks]);
  });

  it('requests the keys as JSON', async () => {
    accepted.length = 0;
    await failureOf(origin);
    expect(accepted).toEqual(['application/json']);
  });

  it('accepts no keys from a response without a body', async () => {
    pages.set(DISCOVERY, (response) => void response.writeHead(204).end());
    expect(await failureOf(origin)).toContain('returned status 204');
  });

  it('accepts no keys from a server error', async () => {
    pages.set(DISCOVERY, (response) => void response.writeHead(503).end());
    expect(await failureOf(origin)).toContain('returned status 503');
  });

  it.each([
    ['fetches the keys again if a token names an unknown key', { kid: 'unknown' }, 2],
    ['does not fetch the keys again if a token names none of several keys', {}, 1],
  ])('%s', async (_, header, fetches) => {
    const keys = [pair, other].map(({ publicKey }, at) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid: `${at}`,
    }));
    let time = 0;
    let fetched = 0;
    const found = issuerKeys(issuerAt(origin), {
      fetchJson: async (url) =>
        url.endsWith(DISCOVERY) ? { issuer: origin, jwks_uri: `${origin}/jwks` } : { keys },
      now: () => time,
      failed: () => undefined,
      fetched: () => (fetched += 1),
    });
    await found.warm();
    time = 11_000;
    await expect(found.find({ alg: 'RS256', ...header }, { payload: '', signature: '' })).rejects.toThrow();
    expect(fetched).toBe(fetches);
  });
});

const checked = async (keys: object[], length = 0): Promise<string> => {
  pages.set(DISCOVERY, json({ issuer: origin, jwks_uri: `${origin}/jwks` }));
  pages.set('/jwks', (response) => void response.end(JSON.stringify({ keys }).padEnd(length)));
  const issuer = issuerAt(origin);
  const found = issuerKeys(issuer, { fetchJson, now: Date.now, failed: () => undefined });
  return verifier(
    issuer,
    found,
    Date.now,
  )(await token(origin)).then(
    ({ claims }) => claims.sub,
    (error: Error) => error.message,
  );
};

it('accepts a key set of one mebibyte', async () => {
  expect(await checked([await exportJWK(pair.publicKey)], 1024 * 1024)).toBe('ana');
});

describe('token verification without a key id', () => {
  it('accepts a token without a key id only if its issuer has a single key', async () => {
    const own = await exportJWK(pair.publicKey);
    expect(await checked([own])).toBe('ana');
    const several = await checked([own, { ...(await exportJWK(other.publicKey)), kid: 'other' }]);
    expect(several).toContain('does not name the key');
  });

  it('does not use a key that is only for encryption', async () => {
    expect(await checked([{ ...(await exportJWK(pair.publicKey)), use: 'enc' }])).toContain(
      'a key that its issuer',
    );
  });
});

describe('RefreshedValue', () => {
  const SECOND = 1_000;
  const START = 1_000_000 * SECOND;
  const lifetimes = { freshMs: 10 * SECOND, usableMs: 60 * SECOND, retryMs: 5 * SECOND };

  it('uses a stale value for a limited time while reloads fail, and starts only one reload at a time', async () => {
    let now = START;
    let loads = 0;
    let up = true;
    const value = new RefreshedValue(
      async () => {
        loads += 1;
        if (!up) throw new Error('down');
        return loads;
      },
      lifetimes,
      () => now,
    );
    expect(await Promise.all([value.get(), value.get()])).toEqual([1, 1]);
    now = START + 9.9 * SECOND;
    expect(await value.get()).toBe(1);
    expect(loads).toBe(1);

    up = false;
    now = START + 59.9 * SECOND;
    expect(await Promise.all([value.get(), value.get(), value.get()])).toEqual([1, 1, 1]);
    expect(loads).toBe(2);

    now = START + 60 * SECOND;
    await expect(value.get()).rejects.toThrow('down');
    expect(loads).toBe(2);

    up = true;
    now = START + 66 * SECOND;
    expect(await value.get()).toBe(3);
    now += 10 * SECOND;
    expect(await value.get()).toBe(4);
  });

  it('refreshes on demand, at most once per retry interval', async () => {
    let now = 0;
    let loads = 0;
    const value = new RefreshedValue(
      async () => (loads += 1),
      lifetimes,
      () => now,
    );
    expect(await value.refresh()).toBe(1);
    expect(await value.refresh()).toBeUndefined();
    now = 5 * SECOND;
    expect(await Promise.all([value.refresh(), value.refresh()])).toEqual([2, 2]);
    expect(await value.refresh()).toBeUndefined();
  });
});
