import { createHmac } from 'node:crypto';
import type { AuditEntry } from '@temporal-kms/codec-api';
import { exportJWK, type JWTPayload } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { policyAccess } from '../../src/access/policy-access.ts';
import { type Issuer, parsePolicy } from '../../src/access/policy.ts';
import { issuerKeyring } from '../../src/access/issuer-keys.ts';
import { createAudit } from '../../src/audit/audit.ts';
import { buildPayloads } from '../../src/json/payload-json.ts';
import type { RunningServer } from '../../src/server/listen.ts';
import { routes } from '../support/routes.ts';
import { keys, type Kms, plain, startKms, serve } from '../support/stack.ts';
import { type Changes, type Issuers, issuersOf } from './support/issuers.ts';
import { accessTable, examplePolicy } from './support/markdown.ts';
import { type Answer, ask, emptyTemporal } from './support/server.ts';

const policy = parsePolicy(examplePolicy());
const namespaces = ['payments', 'cards', 'orders'] as const;
const message = plain('canary-5d01c7');
let kms: Kms;
let issuers: Issuers;
let server: RunningServer;
/** A message of each namespace, as the body of `/decode`. */
const sealed = new Map<string, string>();

const audited: AuditEntry[] = [];
const denied = (): AuditEntry[] => audited.filter(({ event }) => event === 'denied');
/** What the codec and Temporal were asked for. */
const asked: string[] = [];

/** The same, but that each call of it stands in `asked`. */
function watched<T extends object>(whole: T): T {
  return new Proxy(whole, {
    get: (target, name) => {
      const value: any = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        asked.push(String(name));
        return value.apply(target, args);
      };
    },
  });
}

beforeAll(async () => {
  kms = await startKms({
    payments: { encrypt: keys.payments },
    orders: { encrypt: keys.orders },
    cards: { encrypt: keys.payments },
  });
  for (const namespace of namespaces) {
    const payloads = await kms.codec.encode([message], { namespace });
    sealed.set(namespace, buildPayloads(payloads).toString());
  }
  issuers = await issuersOf(policy, Date.now);
  const keysOf = issuerKeyring({
    fetchJson: issuers.fetchJson,
    now: Date.now,
    failed: (issuer, error) => {
      throw new Error(`${issuer}: ${String(error)}`);
    },
  });
  server = await serve(kms, {
    codec: watched(kms.codec),
    temporal: watched(emptyTemporal),
    access: policyAccess(policy, { now: Date.now, keysOf }),
    audit: createAudit({ write: async (entry) => void audited.push(entry) }),
  });
});
afterAll(async () => {
  await server.close(1_000);
  await kms.close();
});

function forget(): void {
  audited.length = 0;
  asked.length = 0;
}
beforeEach(forget);

type Headers = [name: string, value: string][];
/** The part of a request that says who sends it. */
interface Credentials {
  readonly headers: Headers;
  readonly query?: string;
}
const headed = (...headers: Headers): Credentials => ({ headers });
const authorization = (value: string): Headers[number] => ['Authorization', value];
const asserted = (token: string): Headers[number] => ['X-Goog-IAP-JWT-Assertion', token];
const borne = (token: string): Headers[number] => authorization(`Bearer ${token}`);

/** Somebody of the table of people. */
interface Person {
  readonly who: string;
  readonly issuer: Issuer;
  /** What the policy calls their issuer. */
  readonly of: string;
  /** A good one of theirs, or one that `changes` make bad. */
  token(changes?: Changes): Promise<string>;
  /** In the header that the tokens of their issuer come in. */
  sends(token: string): Credentials;
}

function claimsOf(text: string): JWTPayload {
  return JSON.parse(text);
}

const people: Person[] = accessTable('who', 'issuer', 'claims').map((row) => {
  const of = row['issuer']!;
  const issuer = policy.issuers[of]!;
  const claims = claimsOf(row['claims']!);
  return {
    who: row['who']!,
    issuer,
    of,
    token: (changes) => issuers.token(of, claims, changes),
    sends: (token) => headed(issuer.tokens === 'assertion' ? asserted(token) : borne(token)),
  };
});

function person(who: string): Person {
  const found = people.find((each) => each.who === who);
  if (!found) throw new Error(`the table of people has no "${who}"`);
  return found;
}
const lead = person('lead');
const behindTheProxy = person('behind the proxy');

const good = async (who: Person): Promise<Credentials> => who.sends(await who.token());

type Route = (typeof routes)[number];

const JUSTIFICATION = 'ticket 4711';
const posts: Record<string, (namespace: string) => string> = {
  'payloads:decode': () => JSON.stringify({ refs: ['1:0'], justification: JUSTIFICATION }),
  'history:search': () => JSON.stringify({ text: 'a', justification: JUSTIFICATION }),
  'history:export': () => JSON.stringify({ form: 'decoded', justification: JUSTIFICATION }),
  encode: () => buildPayloads([message]).toString(),
  decode: (namespace) => sealed.get(namespace)!,
};

/** Each route as a request in a namespace: right but for who sends it. */
function send(route: Route, namespace: string, { headers, query = '' }: Credentials): Promise<Answer> {
  const [method, , path] = route;
  return ask(server.port, {
    method,
    path: path.replace('payments', namespace) + query,
    headers: [
      ...headers,
      ['Content-Type', 'application/json'],
      ['X-Namespace', namespace],
      ['X-Reveal-Justification', JUSTIFICATION],
    ],
    ...(method === 'POST' ? { body: posts[path.split('/').at(-1)!]!(namespace) } : {}),
  });
}

const permissions = ['metadata', 'decode', 'encode', 'search', 'export', 'audit'] as const;
const rows = accessTable('who', 'namespace', 'metadata');

test('each of them stands in the table with each namespace', () => {
  const pairs = people.flatMap(({ who }) => namespaces.map((namespace) => `${who} in ${namespace}`));
  expect(rows.map(({ who, namespace }) => `${who} in ${namespace}`).toSorted()).toEqual(pairs.toSorted());
});

describe.each(rows)('$who in $namespace', (row) => {
  test.each(permissions)('%s', async (permission) => {
    expect(['yes', '403']).toContain(row[permission]);
    const credentials = await good(person(row['who']!));
    const ofPermission = routes.filter(([, , , needs]) => needs === permission);
    expect(ofPermission).not.toEqual([]);
    for (const route of ofPermission) {
      // What isn't of one namespace is for whoever has the permission in any.
      const cells = route[4] === undefined ? rows.filter(({ who }) => who === row['who']) : [row];
      const given = cells.some((each) => each[permission] === 'yes');
      forget();
      const { status, code, body } = await send(route, row['namespace']!, credentials);
      const where = `${route[0]} ${route[1]}: ${status} ${body}`;
      if (given) {
        expect([400, 401, 403, 500], where).not.toContain(status);
        if (route[1].startsWith('*')) expect(status, where).toBe(200);
        if (route[1] === '*/decode') expect(body).toBe(buildPayloads([message]).toString());
        expect(denied(), where).toEqual([]);
      } else {
        expect(status, where).toBe(403);
        if (route[1].startsWith('/api')) expect(code, where).toBe('forbidden');
        expect(audited, where).toEqual([
          expect.objectContaining({
            event: 'denied',
            operation: permission,
            namespace: route[4] && row['namespace'],
          }),
        ]);
        expect(asked, where).toEqual([]);
      }
    }
  });
});

const now = () => Math.floor(Date.now() / 1_000);

/** What a request has instead of its holder's good token. */
type Defect = (holder: Person) => Credentials | Promise<Credentials>;

/** A token that would be good but for one thing. */
const but =
  (changes: (holder: Person) => Changes | Promise<Changes>): Defect =>
  async (holder) =>
    holder.sends(await holder.token(await changes(holder)));
const claim = (claims: Record<string, unknown>): Defect => but(() => ({ claims }));
const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const forged =
  (change: (parts: [header: any, claims: any, signature: string], holder: Person) => string): Defect =>
  async (holder) => {
    const [header, claims, signature] = (await holder.token()).split('.');
    return holder.sends(change([read(header!), read(claims!), signature!], holder));
  };

/** A good token where it doesn't belong. */
const put =
  (where: (token: string) => Headers): Defect =>
  async (holder) =>
    headed(...where(await holder.token()));

const expiredToken = (holder: Person): Promise<string> => holder.token({ claims: { exp: now() - 31 } });

/** The rows of "What a bad token gets". */
const defects: Record<string, Defect> = {
  'no token': () => headed(),
  'another scheme (Basic)': put((token) => [authorization(`Basic ${token}`)]),
  'a token in the URL only': async (holder) => ({
    headers: [],
    query: `?access_token=${await holder.token()}`,
  }),
  'a token in a cookie only': put((token) => [['Cookie', `access_token=${token}`]]),
  'a token in Authorization-Extras only': put((token) => [['Authorization-Extras', token]]),
  'Bearer without a token': () => headed(authorization('Bearer ')),
  'two Authorization headers': put((token) => [borne(token), borne(token)]),
  'longer than 16 KiB': claim({ more: 'x'.repeat(16_384) }),
  'not a JWT': async (holder) => holder.sends((await holder.token()).split('.')[1]!),
  'algorithm none': forged(
    ([header, claims]) => `${encoded({ ...header, alg: 'none' })}.${encoded(claims)}.`,
  ),
  'HS256 with the public key as its secret': forged(([header, claims], { of }) => {
    const input = `${encoded({ ...header, alg: 'HS256' })}.${encoded(claims)}`;
    const pem = issuers.publicKey(of).export({ type: 'spki', format: 'pem' });
    return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`;
  }),
  'an algorithm that is not in the list': but(({ of }) => issuers.unlisted(of)),
  'a key that the issuer does not have': but(({ of }) => ({
    header: { kid: 'unknown' },
    key: issuers.strange(of).privateKey,
  })),
  'a key that stands in the token itself': but(async ({ of }) => {
    const { publicKey, privateKey } = issuers.strange(of);
    return { header: { jwk: await exportJWK(publicKey), kid: undefined }, key: privateKey };
  }),
  'another key under a known key id': but(({ of }) => ({ key: issuers.strange(of).privateKey })),
  'claims changed after signing': forged(
    ([header, claims, signature]) => `${encoded(header)}.${encoded({ ...claims, sub: 'root' })}.${signature}`,
  ),
  'an unknown issuer': claim({ iss: 'https://elsewhere.example.com/' }),
  'the issuer without its last slash': but(({ issuer }) => ({
    claims: { iss: issuer.issuer.replace(/\/$/, '') },
  })),
  'no issuer': claim({ iss: undefined }),
  'another audience': claim({ aud: ['https://other.example.com'] }),
  'no audience': claim({ aud: undefined }),
  expired: but(() => ({ claims: { iat: now() - 700, exp: now() - 31 } })),
  'no expiry': claim({ exp: undefined }),
  'not valid yet (nbf)': but(() => ({ claims: { nbf: now() + 40 } })),
  'issued in the future (iat)': but(() => ({ claims: { iat: now() + 40 } })),
  'issued too long ago (iat)': but(() => ({ claims: { iat: now() - 25 * 3_600 } })),
  'no subject': claim({ sub: undefined }),
  'an ID token where access tokens are taken': but(() => ({ header: { typ: 'JWT' } })),
  'an access token where ID tokens are taken': but(() => ({ header: { typ: 'at+jwt' } })),
  'an access token without its type where ID tokens are taken': claim({ scope: 'openid' }),
  'an ID token of another client (azp)': claim({ azp: 'other-client' }),
  'a logout token': but(() => ({ header: { typ: 'logout+jwt' } })),
  'a logout token without its type (events)': claim({
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  }),
  'a DPoP proof': but(() => ({ header: { typ: 'dpop+jwt' } })),
  'a token of any other type': but(() => ({ header: { typ: 'secevent+jwt' } })),
  'a token that is bound to a key (cnf)': claim({
    cnf: { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' },
  }),
  'a token in a token (cty)': but(() => ({ header: { cty: 'JWT' } })),
  'two values for one claim': but(() => ({ json: (text) => text.replace('{', '{"sub":"root",') })),
  "a refresh token, by Keycloak's claim typ": claim({ typ: 'Refresh' }),
  "the proxy's assertion as a bearer token": put((token) => [borne(token)]),
  "a bearer token as the proxy's assertion": put((token) => [asserted(token)]),
  'a bad assertion beside a good bearer token': async (holder) =>
    holder.issuer.tokens === 'assertion'
      ? headed(borne(await lead.token()), asserted(await expiredToken(holder)))
      : headed(borne(await holder.token()), asserted(await expiredToken(behindTheProxy))),
  "the proxy's assertion for another backend": claim({ aud: '/projects/123456789/global/backendServices/1' }),
  'a token of Temporal Cloud for another audience': claim({
    aud: 'https://prod-tmprl.us.auth0.com/userinfo',
  }),
  'an ID token of Temporal Cloud': claim({ nonce: 'n-1' }),
};

const taken =
  (tokens: Issuer['tokens']) =>
  (issuer: Issuer): boolean =>
    issuer.tokens === tokens;

/** The defects that only some issuers' tokens can have: whose, and why no others'. The rest is tried with everybody's. */
const ofSome: Record<string, { of: (issuer: Issuer) => boolean; since: string }> = {
  'the issuer without its last slash': {
    of: ({ issuer }) => issuer.endsWith('/'),
    since: 'the others have none',
  },
  'an ID token where access tokens are taken': {
    of: taken('access'),
    since: "the others' tokens are ID tokens, assertions, or Temporal Cloud's, which have a row of their own",
  },
  'an access token where ID tokens are taken': { of: taken('id'), since: 'no others take ID tokens' },
  'an access token without its type where ID tokens are taken': {
    of: taken('id'),
    since: 'no others take ID tokens',
  },
  'an ID token of another client (azp)': { of: taken('id'), since: 'no others take ID tokens' },
  "a refresh token, by Keycloak's claim typ": {
    of: (issuer) => !taken('assertion')(issuer),
    since: "the proxy's tokens are Google's",
  },
  "the proxy's assertion as a bearer token": { of: taken('assertion'), since: 'the others make none' },
  "a bearer token as the proxy's assertion": {
    of: (issuer) => !taken('assertion')(issuer),
    since: "the proxy's tokens are assertions",
  },
  "the proxy's assertion for another backend": {
    of: taken('assertion'),
    since: 'the others have "another audience"',
  },
  'a token of Temporal Cloud for another audience': {
    of: taken('access-untyped'),
    since: 'the others have "another audience"',
  },
  'an ID token of Temporal Cloud': {
    of: taken('access-untyped'),
    since: 'the others have rows of their own, or take no access tokens',
  },
};

const bad = accessTable('what is wrong', 'status', 'code');
const rowOf = (what: string) => bad.find((row) => row['what is wrong'] === what)!;
const holdersOf = (what: string) => people.filter(({ issuer }) => ofSome[what]?.of(issuer) ?? true);

test('each row of the table of bad tokens is tried, and nothing that is not in it', () => {
  expect(bad.map((row) => row['what is wrong'] ?? '').toSorted()).toEqual(Object.keys(defects).toSorted());
});

const reasons = Object.entries(ofSome).map(([what, { since }]) => [what, since] as const);

test.each(reasons)('"%s" is tried with some people\'s tokens only, since %s', (what) => {
  expect(Object.keys(defects)).toContain(what);
  const count = holdersOf(what).length;
  expect(count).toBeGreaterThan(0);
  expect(count).toBeLessThan(people.length);
});

const guarded = routes.filter(([, , , needs]) => needs !== 'public');

/** On every route as the row has it, in one sentence that is the same everywhere and holds nothing of what was sent. */
async function expectRefusals(
  row: Record<string, string>,
  namespace: string,
  credentials: Credentials,
): Promise<void> {
  const answers = await Promise.all(guarded.map((route) => send(route, namespace, credentials)));
  const why = answers[0]!.message;
  const wanted = row['WWW-Authenticate'];
  expect(
    answers.map(({ status, challenge, body }, at) => [...guarded[at]!.slice(0, 2), status, challenge, body]),
  ).toEqual(
    guarded.map(([method, pattern]) => [
      method,
      pattern,
      Number(row['status']),
      wanted === 'Bearer' ? wanted : expect.stringMatching(`^Bearer error="${wanted}"`),
      pattern.startsWith('/api')
        ? JSON.stringify({ error: { code: row['code'], message: why } })
        : `${why}\n`,
    ]),
  );
  const said = answers.map(({ challenge, body }) => `${challenge} ${body}`).join();
  const sent = [...credentials.headers.map(([, value]) => value), credentials.query ?? ''].join(' ');
  for (const part of sent.match(/[\w-]{16,}/g) ?? []) expect(said).not.toContain(part);
  expect(asked).toEqual([]);
  expect(audited).toEqual([]);
}

describe.each(Object.entries(defects))('%s', (what, defect) => {
  describe.each(holdersOf(what).map((holder) => [holder.who, holder] as const))('of %s', (_, holder) => {
    let credentials: Credentials;
    beforeAll(async () => {
      credentials = await defect(holder);
    });

    test.each(namespaces)('is refused on every route, in %s', (namespace) =>
      expectRefusals(rowOf(what), namespace, credentials),
    );
  });
});

/** What else the proxy's header may hold. */
const malformed: Record<string, Defect> = {
  'no assertion': () => headed(asserted('')),
  'no assertion, beside a good bearer token': async () => headed(borne(await lead.token()), asserted('')),
  'two assertions': put((token) => [asserted(token), asserted(token)]),
  'an assertion after the word Bearer': put((token) => [asserted(`Bearer ${token}`)]),
};

describe.each(Object.entries(malformed))("the proxy's header with %s", (_, defect) => {
  test.each(namespaces)('is refused on every route as what is not a JWT, in %s', async (namespace) =>
    expectRefusals(rowOf('not a JWT'), namespace, await defect(behindTheProxy)),
  );
});

test('a bad token keeps nobody out of what is public', async () => {
  for (const path of ['/api/sign-in', '/healthz', '/readyz']) {
    const { status } = await ask(server.port, { path, headers: [borne('b3BhcXVl')] });
    expect([path, status]).toEqual([path, 200]);
  }
});

const askAs = async (who: Person, path: string, changes?: Changes): Promise<Answer> =>
  ask(server.port, { path, ...who.sends(await who.token(changes)) });
const statusOfMe = async (changes: Changes) => (await askAs(lead, '/api/me', changes)).status;

test('clocks may differ by 30 s in either direction', async () => {
  expect(await statusOfMe({ claims: { iat: now() - 600, exp: now() - 20 } })).toBe(200);
  expect(await statusOfMe({ claims: { iat: now() + 20, nbf: now() + 20 } })).toBe(200);
});

test('an unknown issuer makes for no request, to nobody', async () => {
  const before = issuers.asked.length;
  expect(await statusOfMe({ claims: { iss: 'https://169.254.169.254/' } })).toBe(401);
  expect(issuers.asked).toHaveLength(before);
});

const decodeCards = async (justification: Headers): Promise<Answer> =>
  ask(server.port, {
    method: 'POST',
    path: '/decode',
    headers: [
      borne(await lead.token()),
      ['Content-Type', 'application/json'],
      ['X-Namespace', 'cards'],
      ...justification,
    ],
    body: '{"payloads":[]}',
  });

const openCards = async (body: object): Promise<Answer> =>
  ask(server.port, {
    method: 'POST',
    path: '/api/namespaces/cards/workflows/w/runs/0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa/payloads:decode',
    headers: [borne(await lead.token()), ['Content-Type', 'application/json']],
    body: JSON.stringify(body),
  });

test('on demand, what decrypts requires a justification, and opens with one; a missing one is recorded in the audit', async () => {
  expect(await decodeCards([])).toMatchObject({
    status: 403,
    body: expect.stringContaining('X-Reveal-Justification'),
  });
  expect((await decodeCards([['X-Reveal-Justification', JUSTIFICATION]])).status).toBe(200);

  const refs = ['1:0'];
  expect(await openCards({ refs })).toMatchObject({ status: 403, code: 'justification_required' });
  const line = { operation: 'decode', namespace: 'cards', who: { name: 'ana@example.com' } };
  expect(denied()).toMatchObject([line, { ...line, workflowId: 'w' }]);

  expect(await openCards({ refs, justification: JUSTIFICATION })).toMatchObject({ status: 404 });
  expect(denied()).toHaveLength(2);
});

test('the caller is told who they are, until when, and what they may do where', async () => {
  const { body } = await askAs(lead, '/api/me');
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
  const { body } = await askAs(person(who), '/api/namespaces');
  return JSON.parse(body);
}

test('only the namespaces that one may read are listed', async () => {
  expect(await namespacesFor('lead')).toEqual({
    namespaces: [{ name: 'cards' }, { name: 'payments' }],
    default: 'payments',
  });
  expect(await namespacesFor('partner')).toEqual({ namespaces: [{ name: 'orders' }], default: 'orders' });
});
