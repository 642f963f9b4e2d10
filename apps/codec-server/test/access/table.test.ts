import { createHmac } from 'node:crypto';
import { exportJWK, type JWTPayload } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { policyAccess } from '../../src/access/policy-access.ts';
import { providerKeyring } from '../../src/access/tokens/provider-keys.ts';
import { parsePolicy } from '../../src/access/policy/read.ts';
import { type Audit, createAudit } from '../../src/audit/audit.ts';
import type { RunningServer } from '../../src/listen/listen.ts';
import { routes } from '../support/routes.ts';
import { keys, type Kms, startKms, serve } from '../support/stack.ts';
import { type Changes, type Issuers, issuersOf, rsa } from './support/issuers.ts';
import { examplePolicy, tableOf } from './support/markdown.ts';
import { type Answer, ask, emptyTemporal } from './support/server.ts';

const policy = parsePolicy(examplePolicy());
let kms: Kms;
let issuers: Issuers;
let server: RunningServer;
const denied: unknown[] = [];

beforeAll(async () => {
  kms = await startKms({
    payments: { encrypt: keys.payments },
    orders: { encrypt: keys.orders },
    cards: { encrypt: keys.payments },
  });
  issuers = await issuersOf(policy, Date.now);
  const keysOf = providerKeyring({
    fetchJson: issuers.fetchJson,
    now: Date.now,
    failed: (issuer, error) => {
      throw new Error(`${issuer}: ${String(error)}`);
    },
  });
  const access = policyAccess(policy, { now: Date.now, keysOf });
  const written = createAudit({ write: () => Promise.resolve() });
  const audit: Audit = { ...written, denied: async (intent) => void denied.push(intent) };
  server = await serve(kms, { access, audit, temporal: emptyTemporal });
});
afterAll(async () => {
  await server.close(1_000);
  await kms.close();
});

type Headers = [name: string, value: string][];
const bearer = (token: string): Headers => [['Authorization', `Bearer ${token}`]];
const assertion = (token: string): Headers => [['X-Goog-IAP-JWT-Assertion', token]];

function claimsOf(text: string): JWTPayload {
  return JSON.parse(text);
}

const people = new Map(
  tableOf('who', 'issuer', 'claims').map(({ who, issuer, claims }) => [
    who,
    { issuer: issuer!, claims: claimsOf(claims!) },
  ]),
);

async function headersOf(who: string): Promise<Headers> {
  const person = people.get(who);
  if (!person) throw new Error(`the table of people has no "${who}"`);
  const token = await issuers.token(person.issuer, person.claims);
  return policy.issuers[person.issuer]!.tokens === 'assertion' ? assertion(token) : bearer(token);
}

type Route = (typeof routes)[number];

/** Each route as a request in a namespace: right but for who sends it. */
function send(route: Route, namespace: string, headers: Headers, query = ''): Promise<Answer> {
  const [method, pattern, path] = route;
  const protocol = pattern.startsWith('*');
  return ask(server.port, {
    method,
    path: path.replace('payments', namespace) + query,
    headers: [
      ...headers,
      ['Content-Type', 'application/json'],
      ['X-Namespace', namespace],
      ['X-Reveal-Reason', 'ticket 4711'],
    ],
    ...(method === 'POST' ? { body: protocol ? '{"payloads":[]}' : '{}' } : {}),
  });
}

const permissions = ['metadata', 'decode', 'encode', 'search', 'export', 'audit'] as const;
const rows = tableOf('who', 'namespace', 'metadata');

test('each of them stands in the table with each namespace', () => {
  const pairs = [...people.keys()].flatMap((who) =>
    ['payments', 'cards', 'orders'].map((namespace) => `${who} in ${namespace}`),
  );
  expect(rows.map(({ who, namespace }) => `${who} in ${namespace}`).toSorted()).toEqual(pairs.toSorted());
});

describe.each(rows)('$who in $namespace', (row) => {
  test.each(permissions)('%s', async (permission) => {
    expect(['yes', '403']).toContain(row[permission]);
    const headers = await headersOf(row['who']!);
    const ofPermission = routes.filter(([, , , needs]) => needs === permission);
    expect(ofPermission).not.toEqual([]);
    for (const route of ofPermission) {
      // What isn't of one namespace is for whoever has the permission in any.
      const cells = route[4] === undefined ? rows.filter(({ who }) => who === row['who']) : [row];
      const given = cells.some((each) => each[permission] === 'yes');
      denied.length = 0;
      const { status, code, body } = await send(route, row['namespace']!, headers);
      const where = `${route[0]} ${route[1]}: ${status} ${body}`;
      if (given) {
        expect([401, 403, 500], where).not.toContain(status);
        if (route[1].startsWith('*')) expect(status, where).toBe(200);
        expect(denied, where).toEqual([]);
      } else {
        expect(status, where).toBe(403);
        if (route[1].startsWith('/api')) expect(code, where).toBe('forbidden');
        expect(denied, where).toEqual([
          expect.objectContaining({ operation: permission, namespace: route[4] && row['namespace'] }),
        ]);
      }
    }
  });
});

const now = () => Math.floor(Date.now() / 1_000);
const lead = people.get('lead')!.claims;
/** Whose token it would be. */
let holder = lead;

/** A token of the company that would be good but for one thing. */
const company = async (changes: Changes): Promise<Headers> =>
  bearer(await issuers.token('company', holder, changes));
const claim = (claims: Record<string, unknown>) => () => company({ claims });
const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

async function forged(
  change: (parts: [header: any, claims: any, signature: string]) => string,
): Promise<Headers> {
  const [header, claims, signature] = (await issuers.token('company', holder)).split('.');
  return bearer(change([read(header!), read(claims!), signature!]));
}

const good = (): Promise<Headers> => headersOf('lead');
const tokenOf = async (headers: Promise<Headers>): Promise<string> =>
  (await headers)[0]![1].replace('Bearer ', '');

/** The rows of "What a bad token gets". */
const defects: Record<string, () => Headers | Promise<Headers>> = {
  'no token': () => [],
  'another scheme (Basic)': () => [['Authorization', 'Basic YW5hOnNlY3JldA==']],
  'a token in the URL only': () => [],
  'a token in a cookie only': async () => [['Cookie', `access_token=${await tokenOf(good())}`]],
  'a token in Authorization-Extras only': async () => [['Authorization-Extras', await tokenOf(good())]],
  'Bearer without a token': () => [['Authorization', 'Bearer ']],
  'two Authorization headers': async () => [...(await good()), ...(await good())],
  'longer than 16 KiB': claim({ groups: ['payments-leads', 'x'.repeat(16_384)] }),
  'not a JWT': () => bearer('b3BhcXVl'),
  'algorithm none': () =>
    forged(([header, claims]) => `${encoded({ ...header, alg: 'none' })}.${encoded(claims)}.`),
  'HS256 with the public key as its secret': () =>
    forged(([header, claims]) => {
      const input = `${encoded({ ...header, alg: 'HS256' })}.${encoded(claims)}`;
      const pem = issuers.publicKey('company').export({ type: 'spki', format: 'pem' });
      return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`;
    }),
  'an algorithm that is not in the list': () => company({ header: { alg: 'RS512' } }),
  'a key that the issuer does not have': () => company({ header: { kid: 'unknown' }, key: rsa().privateKey }),
  'a key that stands in the token itself': async () => {
    const own = rsa();
    const jwk = await exportJWK(own.publicKey);
    return company({ header: { jwk, kid: undefined }, key: own.privateKey });
  },
  'another key under a known key id': () => company({ key: rsa().privateKey }),
  'claims changed after signing': () =>
    forged(
      ([header, claims, signature]) =>
        `${encoded(header)}.${encoded({ ...claims, sub: 'root' })}.${signature}`,
    ),
  'an unknown issuer': claim({ iss: 'https://elsewhere.example.com/' }),
  'the issuer without its last slash': claim({ iss: 'https://login.example.com' }),
  'no issuer': claim({ iss: undefined }),
  'another audience': claim({ aud: ['https://other.example.com'] }),
  'no audience': claim({ aud: undefined }),
  expired: () => company({ claims: { iat: now() - 700, exp: now() - 31 } }),
  'no expiry': claim({ exp: undefined }),
  'not valid yet (nbf)': () => company({ claims: { nbf: now() + 40 } }),
  'issued in the future (iat)': () => company({ claims: { iat: now() + 40 } }),
  'issued too long ago (iat)': () => company({ claims: { iat: now() - 25 * 3_600 } }),
  'no subject': claim({ sub: undefined }),
  'an ID token where access tokens are taken': () => company({ header: { typ: 'JWT' } }),
  'an access token where ID tokens are taken': async () =>
    bearer(await issuers.token('partner', people.get('partner')!.claims, { header: { typ: 'at+jwt' } })),
  'an access token without its type where ID tokens are taken': async () =>
    bearer(await issuers.token('partner', people.get('partner')!.claims, { claims: { scope: 'openid' } })),
  'an ID token of another client (azp)': async () =>
    bearer(
      await issuers.token('partner', people.get('partner')!.claims, { claims: { azp: 'other-client' } }),
    ),
  "the proxy's assertion as a bearer token": async () =>
    bearer(await issuers.token('proxy', people.get('behind the proxy')!.claims)),
  "a bearer token as the proxy's assertion": async () => assertion(await tokenOf(good())),
  'a bad assertion beside a good bearer token': async () => [
    ...(await good()),
    ...assertion(await issuers.token('proxy', {}, { claims: { exp: now() - 31 } })),
  ],
  "the proxy's assertion for another backend": async () =>
    assertion(
      await issuers.token('proxy', people.get('behind the proxy')!.claims, {
        claims: { aud: '/projects/123456789/global/backendServices/1' },
      }),
    ),
  'a token of Temporal Cloud for another audience': async () =>
    bearer(
      await issuers.token('cloud', people.get('of Temporal Cloud')!.claims, {
        claims: { aud: 'https://prod-tmprl.us.auth0.com/userinfo' },
      }),
    ),
  'an ID token of Temporal Cloud': async () =>
    bearer(
      await issuers.token('cloud', people.get('of Temporal Cloud')!.claims, { claims: { nonce: 'n-1' } }),
    ),
};

const bad = tableOf('what is wrong', 'status', 'code');

test('each row of the table of bad tokens is tried, and nothing that is not in it', () => {
  expect(bad.map((row) => row['what is wrong'] ?? '').toSorted()).toEqual(Object.keys(defects).toSorted());
});

describe.each(bad.map((row) => [row['what is wrong']!, row] as const))('%s', (what, row) => {
  const guarded = routes.filter(([, , , needs]) => needs !== 'public');

  const others = [...people].filter(([who, { issuer }]) => issuer === 'company' && who !== 'lead');
  const holders = [
    ...['payments', 'cards', 'orders'].map((namespace) => ['lead', namespace, lead] as const),
    ...others.map(([who, { claims }]) => [who, 'payments', claims] as const),
  ];
  afterEach(() => {
    holder = lead;
  });

  test.each(holders)('of %s is refused on every route, in %s', async (_, namespace, claims) => {
    holder = claims;
    const headers = await defects[what]!();
    const query = what === 'a token in the URL only' ? `?access_token=${await tokenOf(good())}` : '';
    const secrets = headers
      .map(([, value]) => value.replace(/^\w+ /, ''))
      .filter((value) => value.length > 8);
    for (const route of guarded) {
      const { status, challenge, code, body } = await send(route, namespace, headers, query);
      const where = `${route[0]} ${route[1]}: ${status} ${challenge} ${body}`;
      expect(status, where).toBe(Number(row['status']));
      if (route[1].startsWith('/api')) expect(code, where).toBe(row['code']);
      const wanted = row['WWW-Authenticate'];
      if (wanted === 'Bearer') expect(challenge, where).toBe('Bearer');
      else expect(challenge, where).toMatch(new RegExp(`^Bearer error="${wanted}"`));
      for (const secret of secrets) expect(body + challenge).not.toContain(secret);
    }
  });
});

test('a bad token keeps nobody out of what is public', async () => {
  for (const path of ['/api/sign-in', '/healthz', '/readyz']) {
    const { status } = await ask(server.port, { path, headers: bearer('b3BhcXVl') });
    expect([path, status]).toEqual([path, 200]);
  }
});

const statusOfMe = async (changes: Changes) =>
  (await ask(server.port, { path: '/api/me', headers: await company(changes) })).status;

test('clocks may differ by 30 s in either direction', async () => {
  expect(await statusOfMe({ claims: { iat: now() - 600, exp: now() - 20 } })).toBe(200);
  expect(await statusOfMe({ claims: { iat: now() + 20, nbf: now() + 20 } })).toBe(200);
});

test('an unknown issuer makes for no request, to nobody', async () => {
  const before = issuers.asked.length;
  const headers = await company({ claims: { iss: 'https://169.254.169.254/' } });
  expect((await ask(server.port, { path: '/api/me', headers })).status).toBe(401);
  expect(issuers.asked).toHaveLength(before);
});

const decodeCards = async (reason: Headers): Promise<Answer> =>
  ask(server.port, {
    method: 'POST',
    path: '/decode',
    headers: [...(await good()), ['Content-Type', 'application/json'], ['X-Namespace', 'cards'], ...reason],
    body: '{"payloads":[]}',
  });

const openCards = async (body: object): Promise<Answer> =>
  ask(server.port, {
    method: 'POST',
    path: '/api/namespaces/cards/workflows/w/runs/0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa/payloads:decode',
    headers: [...(await good()), ['Content-Type', 'application/json']],
    body: JSON.stringify(body),
  });

test('on demand, what decrypts wants a reason, and opens with one; who gives none stands in the audit', async () => {
  denied.length = 0;
  expect(await decodeCards([])).toMatchObject({
    status: 403,
    body: expect.stringContaining('X-Reveal-Reason'),
  });
  expect((await decodeCards([['X-Reveal-Reason', 'ticket 4711']])).status).toBe(200);

  const refs = ['1:0'];
  expect(await openCards({ refs })).toMatchObject({ status: 403, code: 'reason_required' });
  const who = { operation: 'decode', namespace: 'cards', caller: { name: 'ana@example.com' } };
  expect(denied).toMatchObject([who, { ...who, workflowId: 'w' }]);

  expect(await openCards({ refs, reason: 'ticket 4711' })).toMatchObject({ status: 404 });
  expect(denied).toHaveLength(2);
});

test('the caller is told who they are, until when, and what they may do where', async () => {
  const { body } = await ask(server.port, { path: '/api/me', headers: await good() });
  const { expiresAt, ...me } = JSON.parse(body);
  expect(me).toEqual({
    name: 'ana@example.com',
    namespaces: [
      { name: 'cards', permissions: ['metadata', 'decode', 'search', 'export'], reveal: 'on-demand' },
      { name: 'payments', permissions: ['metadata', 'decode', 'search', 'export'], reveal: 'automatic' },
    ],
  });
  expect(Math.abs(Date.parse(expiresAt) - Date.now() - 600_000)).toBeLessThan(10_000);
});

test('a page is told how to sign in', async () => {
  const { body } = await ask(server.port, { path: '/api/sign-in' });
  expect(JSON.parse(body)).toEqual({
    authorizationCode: {
      issuer: 'https://login.example.com/',
      clientId: 'codec-dashboard',
      scopes: ['openid', 'email'],
      resource: 'https://codec.example.com',
    },
  });
});

async function namespacesFor(who: string): Promise<unknown> {
  const { body } = await ask(server.port, { path: '/api/namespaces', headers: await headersOf(who) });
  return JSON.parse(body);
}

test('only the namespaces that one may read are listed', async () => {
  expect(await namespacesFor('lead')).toEqual({
    namespaces: [{ name: 'cards' }, { name: 'payments' }],
    default: 'payments',
  });
  expect(await namespacesFor('partner')).toEqual({ namespaces: [{ name: 'orders' }], default: 'orders' });
});
