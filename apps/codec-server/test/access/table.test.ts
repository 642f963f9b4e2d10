import { createHmac } from 'node:crypto';
import { createAudit } from '@temporal-kms/audit';
import type { AuditEntry } from '@temporal-kms/codec-api';
import { exportJWK } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Issuer, parsePolicy } from '../../src/access/policy.ts';
import { buildPayloads } from '../../src/json/payload-json.ts';
import type { RunningServer } from '../../src/server/listen.ts';
import { download, routes as withoutStorage } from '../support/routes.ts';
import { keys, type Kms, plain, startKms } from '../support/stack.ts';
import { createStorage } from '../support/storage.ts';
import type { Changes, Issuers } from './support/issuers.ts';
import { servePolicy } from './support/policy-server.ts';
import {
  type ExampleCaller,
  callers,
  namespaces,
  permissions,
  tokenRefusals,
  type TokenRefusal,
} from './matrix.ts';
import { examplePolicy } from './support/example.ts';
import { type Answer, ask, emptyTemporal } from './support/server.ts';

const routes = [...withoutStorage, download];
const policy = parsePolicy(examplePolicy());
const store = createStorage();
const message = plain('canary-5d01c7');
let kms: Kms;
let issuers: Issuers;
let server: RunningServer;
/** An encrypted message of each namespace, as the body of `/decode`. */
const encrypted = new Map<string, string>();
/** A reference to an encrypted message of each namespace, as the body of `/download`. */
const stored = new Map<string, string>();

const audited: AuditEntry[] = [];
const denied = (): AuditEntry[] => audited.filter(({ event }) => event === 'denied');
/** The names of the called methods, both of the codec and of Temporal. */
const called: string[] = [];

/** Returns an object with the same methods, and records calls in `called`. */
function recordingCalls<T extends object>(whole: T): T {
  return new Proxy(whole, {
    get: (target, name) => {
      const value: any = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        called.push(String(name));
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
    encrypted.set(namespace, buildPayloads(payloads).toString());
    const reference = await store.put(payloads[0]!, { namespace });
    stored.set(namespace, buildPayloads([reference]).toString());
  }
  ({ server, issuers } = await servePolicy(kms, policy, {
    codec: recordingCalls(kms.codec),
    temporal: recordingCalls(emptyTemporal),
    storage: store.storage,
    audit: createAudit({ write: async (entry) => void audited.push(entry) }),
  }));
});
afterAll(async () => {
  await server.close(1_000);
  await kms.close();
});

function forget(): void {
  audited.length = 0;
  called.length = 0;
}
beforeEach(forget);

type Headers = [name: string, value: string][];
/** The part of a request that authenticates its caller. */
interface Credentials {
  readonly headers: Headers;
  readonly query?: string;
}
const headed = (...headers: Headers): Credentials => ({ headers });
const authorization = (value: string): Headers[number] => ['Authorization', value];
const asserted = (token: string): Headers[number] => ['X-Goog-IAP-JWT-Assertion', token];
const borne = (token: string): Headers[number] => authorization(`Bearer ${token}`);

/** A caller in the matrix, with a function that creates the caller's tokens. */
interface Person extends ExampleCaller {
  readonly settings: Issuer;
  /** Resolves to a token that is valid except for `changes`. */
  token(changes?: Changes): Promise<string>;
  /** Returns the header in which clients send a token from the issuer. */
  sends(token: string): Credentials;
}

const people: Person[] = callers.map((caller) => {
  const settings = policy.issuers[caller.issuer]!;
  return {
    ...caller,
    settings,
    token: (changes) => issuers.token(caller.issuer, caller.claims, changes),
    sends: (token) => headed(settings.tokens === 'assertion' ? asserted(token) : borne(token)),
  };
});

function person(who: string): Person {
  const found = people.find((each) => each.who === who);
  if (!found) throw new Error(`The matrix has no caller "${who}".`);
  return found;
}
const lead = person('lead');
const behindTheProxy = person('behind the proxy');

const valid = async (who: Person): Promise<Credentials> => who.sends(await who.token());

type Route = (typeof routes)[number];

const JUSTIFICATION = 'ticket 4711';
const FILE_EVENT = JSON.stringify({
  eventId: '1',
  eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED',
  workflowExecutionSignaledEventAttributes: { input: { payloads: [{ data: 'YQ==' }] } },
});
const posts: Record<string, (namespace: string) => string> = {
  'payloads:decode': () => JSON.stringify({ refs: ['1:0'], justification: JUSTIFICATION }),
  'history:search': () => JSON.stringify({ text: 'a', justification: JUSTIFICATION }),
  'workflows:search': () => JSON.stringify({ text: 'a', justification: JUSTIFICATION }),
  'workflows:fields': () => '{}',
  'workflows:decode-fields': () => JSON.stringify({ justification: JUSTIFICATION }),
  'workflows:causes': () => '{}',
  'workflows:decode-causes': () => JSON.stringify({ justification: JUSTIFICATION }),
  'workflows:progress': () =>
    JSON.stringify({ runs: [{ workflowId: 'w', runId: '0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa' }] }),
  'history:export': () => JSON.stringify({ form: 'decoded', justification: JUSTIFICATION }),
  query: () => JSON.stringify({ type: 'look', justification: JUSTIFICATION }),
  'keys:test': () => '{}',
  'audit:search': () => '{}',
  'history-files:inspect': () => JSON.stringify({ encoding: 'json', events: [FILE_EVENT] }),
  'history-files:search': () =>
    JSON.stringify({ encoding: 'json', events: [FILE_EVENT], text: 'a', justification: JUSTIFICATION }),
  'history-files:decode': () =>
    JSON.stringify({ encoding: 'json', events: [FILE_EVENT], refs: ['1:0'], justification: JUSTIFICATION }),
  encode: () => buildPayloads([message]).toString(),
  decode: (namespace) => encrypted.get(namespace)!,
  download: (namespace) => stored.get(namespace)!,
};

/** Sends a request to a route in a namespace. The request is valid, except perhaps for its credentials. */
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

it('names each caller in the matrix once', () => {
  expect(new Set(callers.map(({ who }) => who)).size).toBe(callers.length);
});

const pairs = people.flatMap((who) => namespaces.map((namespace) => ({ who, namespace })));

describe.each(pairs)('$who.who in $namespace', ({ who, namespace }) => {
  it.each(permissions)(
    'can use every route that requires %s if the policy grants it, and otherwise gets 403',
    async (permission) => {
      const credentials = await valid(who);
      const ofPermission = routes.filter(([, , , needs]) => needs === permission);
      expect(ofPermission).not.toEqual([]);
      for (const route of ofPermission) {
        // A route without a namespace requires the permission in at least one namespace.
        const considered = route[4] === undefined ? namespaces : [namespace];
        const isGranted = considered.some((name) => who.granted[name].includes(permission));
        forget();
        const { status, code, body } = await send(route, namespace, credentials);
        const where = `${route[0]} ${route[1]}: ${status} ${body}`;
        if (isGranted) {
          expect([400, 401, 403, 500], where).not.toContain(status);
          if (route[1].startsWith('*')) expect(status, where).toBe(200);
          if (['*/decode', '*/download'].includes(route[1]))
            expect(body).toBe(buildPayloads([message]).toString());
          expect(denied(), where).toEqual([]);
        } else {
          expect(status, where).toBe(403);
          if (route[1].startsWith('/api')) expect(code, where).toBe('forbidden');
          expect(audited, where).toEqual([
            expect.objectContaining({
              event: 'denied',
              operation: permission,
              namespace: route[4] && namespace,
            }),
          ]);
          expect(called, where).toEqual([]);
        }
      }
    },
  );
});

const now = () => Math.floor(Date.now() / 1_000);

/** Returns the credentials that a request sends instead of the holder's valid token. */
type Defect = (holder: Person) => Credentials | Promise<Credentials>;

/** Returns a token that is valid except for one change. */
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

/** Returns credentials that contain a valid token in headers where the server must not accept it. */
const put =
  (where: (token: string) => Headers): Defect =>
  async (holder) =>
    headed(...where(await holder.token()));

const expiredToken = (holder: Person): Promise<string> => holder.token({ claims: { exp: now() - 31 } });

/** All defects in the matrix. */
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
  'HS256 with the public key as its secret': forged(([header, claims], { issuer: of }) => {
    const input = `${encoded({ ...header, alg: 'HS256' })}.${encoded(claims)}`;
    const pem = issuers.publicKey(of).export({ type: 'spki', format: 'pem' });
    return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`;
  }),
  'an algorithm that the policy does not list': but(({ issuer: of }) => issuers.unlisted(of)),
  'a key that the issuer does not have': but(({ issuer: of }) => ({
    header: { kid: 'unknown' },
    key: issuers.strange(of).privateKey,
  })),
  'a key in the token itself': but(async ({ issuer: of }) => {
    const { publicKey, privateKey } = issuers.strange(of);
    return { header: { jwk: await exportJWK(publicKey), kid: undefined }, key: privateKey };
  }),
  'another key under a known key id': but(({ issuer: of }) => ({ key: issuers.strange(of).privateKey })),
  'claims changed after signing': forged(
    ([header, claims, signature]) => `${encoded(header)}.${encoded({ ...claims, sub: 'root' })}.${signature}`,
  ),
  'an unknown issuer': claim({ iss: 'https://elsewhere.example.com/' }),
  'the issuer without its last slash': but(({ settings }) => ({
    claims: { iss: settings.issuer.replace(/\/$/, '') },
  })),
  'no issuer': claim({ iss: undefined }),
  'another audience': claim({ aud: ['https://other.example.com'] }),
  'no audience': claim({ aud: undefined }),
  expired: but(() => ({ claims: { iat: now() - 700, exp: now() - 31 } })),
  'no expiry': claim({ exp: undefined }),
  'not valid yet (nbf)': but(() => ({ claims: { nbf: now() + 90 } })),
  'issued in the future (iat)': but(() => ({ claims: { iat: now() + 90 } })),
  'issued too long ago (iat)': but(() => ({ claims: { iat: now() - 25 * 3_600 } })),
  'no subject': claim({ sub: undefined }),
  'an ID token where access tokens are accepted': but(() => ({ header: { typ: 'JWT' } })),
  'an access token where ID tokens are accepted': but(() => ({ header: { typ: 'at+jwt' } })),
  'an access token without its type where ID tokens are accepted': claim({ scope: 'openid' }),
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
  'an invalid assertion alongside a valid bearer token': async (holder) =>
    holder.settings.tokens === 'assertion'
      ? headed(borne(await lead.token()), asserted(await expiredToken(holder)))
      : headed(borne(await holder.token()), asserted(await expiredToken(behindTheProxy))),
  "the proxy's assertion for another backend": claim({ aud: '/projects/123456789/global/backendServices/1' }),
  'a token of Temporal Cloud for another audience': claim({
    aud: 'https://prod-tmprl.us.auth0.com/userinfo',
  }),
  'an ID token of Temporal Cloud': claim({ nonce: 'n-1' }),
};

const accepting =
  (tokens: Issuer['tokens']) =>
  (issuer: Issuer): boolean =>
    issuer.tokens === tokens;

/**
 * Defects that only some issuers' tokens can have, with the reason. All other defects are tested with every
 * issuer's tokens.
 */
const ofSome: Record<string, { of: (issuer: Issuer) => boolean; since: string }> = {
  'the issuer without its last slash': {
    of: ({ issuer }) => issuer.endsWith('/'),
    since: 'the other issuers have no last slash',
  },
  'an ID token where access tokens are accepted': {
    of: accepting('access'),
    since: "the other tokens are ID tokens, assertions, or Temporal Cloud's, which have a separate defect",
  },
  'an access token where ID tokens are accepted': {
    of: accepting('id'),
    since: 'no other issuer has ID tokens',
  },
  'an access token without its type where ID tokens are accepted': {
    of: accepting('id'),
    since: 'no other issuer has ID tokens',
  },
  'an ID token of another client (azp)': { of: accepting('id'), since: 'no other issuer has ID tokens' },
  "a refresh token, by Keycloak's claim typ": {
    of: (issuer) => !accepting('assertion')(issuer),
    since: "the proxy's tokens are Google's",
  },
  "the proxy's assertion as a bearer token": {
    of: accepting('assertion'),
    since: 'no other issuer makes assertions',
  },
  "a bearer token as the proxy's assertion": {
    of: (issuer) => !accepting('assertion')(issuer),
    since: "the proxy's tokens are assertions",
  },
  "the proxy's assertion for another backend": {
    of: accepting('assertion'),
    since: 'the others have the defect "another audience"',
  },
  'a token of Temporal Cloud for another audience': {
    of: accepting('access-untyped'),
    since: 'the others have the defect "another audience"',
  },
  'an ID token of Temporal Cloud': {
    of: accepting('access-untyped'),
    since: 'the others have separate defects or no access tokens',
  },
};

/** Returns the callers whose tokens can have the defect. */
const holdersOf = (what: string) => people.filter(({ settings }) => ofSome[what]?.of(settings) ?? true);

/**
 * Returns one caller per issuer whose tokens can have the defect, because the server checks tokens only
 * against the settings of their issuers. The choice of callers varies by defect. With `SLOW=1`, returns all
 * of them.
 */
function testedHoldersOf(what: string): Person[] {
  if (process.env['SLOW']) return holdersOf(what);
  const turn = Object.keys(defects).indexOf(what);
  const groups = Map.groupBy(holdersOf(what), ({ issuer }) => issuer);
  return [...groups.values()].map((group) => group[turn % group.length]!);
}

it('tests exactly the defects that the matrix lists', () => {
  expect(Object.keys(defects).toSorted()).toEqual(Object.keys(tokenRefusals).toSorted());
});

const ofSomeOnly = Object.entries(ofSome).map(([what, { since }]) => [what, since] as const);

it.each(ofSomeOnly)('tests "%s" only with some callers’ tokens, because %s', (what) => {
  expect(Object.keys(defects)).toContain(what);
  const count = holdersOf(what).length;
  expect(count).toBeGreaterThan(0);
  expect(count).toBeLessThan(people.length);
});

const guarded = routes.filter(([, , , needs]) => needs !== 'public');

/** Replaces seconds in messages, because a second may pass between two responses. */
const untimed = (text: string): string => text.replace(/\d+ s ahead/, '… s ahead');

/**
 * Expects every route to refuse the request, with the same message everywhere. The message must contain
 * nothing from the request.
 */
async function expectRefusals(
  refusal: TokenRefusal,
  namespace: string,
  credentials: Credentials,
): Promise<void> {
  const answers = await Promise.all(guarded.map((route) => send(route, namespace, credentials)));
  const why = untimed(answers[0]!.message);
  expect(
    answers.map(({ status, challenge, body }, at) => [
      ...guarded[at]!.slice(0, 2),
      status,
      challenge,
      untimed(body),
    ]),
  ).toEqual(
    guarded.map(([method, pattern]) => [
      method,
      pattern,
      refusal.status,
      refusal.error === undefined ? 'Bearer' : expect.stringMatching(`^Bearer error="${refusal.error}"`),
      pattern.startsWith('/api')
        ? JSON.stringify({ error: { code: refusal.code, message: why } })
        : `${why}\n`,
    ]),
  );
  const responses = answers.map(({ challenge, body }) => `${challenge} ${body}`).join();
  const sent = [...credentials.headers.map(([, value]) => value), credentials.query ?? ''].join(' ');
  for (const part of sent.match(/[\w-]{16,}/g) ?? []) expect(responses).not.toContain(part);
  expect(called).toEqual([]);
  expect(audited).toEqual([]);
}

describe.each(Object.entries(defects))('a token with the defect "%s"', (what, defect) => {
  // The server checks a token before it looks at the namespace, so one namespace for each caller is enough.
  const cases = testedHoldersOf(what).map(
    (holder, index) => [holder.who, namespaces[index % namespaces.length]!, holder] as const,
  );
  it.each(cases)('of %s is refused on every route in %s', async (_who, namespace, holder) =>
    expectRefusals(tokenRefusals[what]!, namespace, await defect(holder)),
  );
});

/** Malformed values of the proxy's header. */
const malformed: Record<string, Defect> = {
  'no assertion': () => headed(asserted('')),
  'no assertion alongside a valid bearer token': async () => headed(borne(await lead.token()), asserted('')),
  'two assertions': put((token) => [asserted(token), asserted(token)]),
  'an assertion after the word Bearer': put((token) => [asserted(`Bearer ${token}`)]),
};

describe.each(Object.entries(malformed))("the proxy's header with %s", (_, defect) => {
  it.each(namespaces)(
    'gets, on every route in %s, the same refusal as a token that is not a JWT',
    async (namespace) => expectRefusals(tokenRefusals['not a JWT']!, namespace, await defect(behindTheProxy)),
  );
});

it('serves public routes to a request with an invalid token', async () => {
  for (const path of ['/api/sign-in', '/healthz', '/readyz', '/version']) {
    const { status } = await ask(server.port, { path, headers: [borne('b3BhcXVl')] });
    expect([path, status]).toEqual([path, 200]);
  }
});

const askAs = async (who: Person, path: string, changes?: Changes): Promise<Answer> =>
  ask(server.port, { path, ...who.sends(await who.token(changes)) });
const statusOfMe = async (changes: Changes) => (await askAs(lead, '/api/me', changes)).status;

it('accepts tokens from an issuer whose clock differs by 30 s in either direction', async () => {
  expect(await statusOfMe({ claims: { iat: now() - 600, exp: now() - 20 } })).toBe(200);
  expect(await statusOfMe({ claims: { iat: now() + 20, nbf: now() + 20 } })).toBe(200);
});

it('fetches nothing from the URL of an unknown issuer', async () => {
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

it('requires a justification in a namespace that reveals payloads on demand, and audits requests without one', async () => {
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

it('returns the caller’s name, permissions and sign-in expiry from /api/me', async () => {
  const { body } = await askAs(lead, '/api/me');
  const { expiresAt, ...me } = JSON.parse(body);
  expect(me).toEqual({
    name: 'ana@example.com',
    namespaces: [
      {
        name: 'cards',
        permissions: ['metadata', 'decode', 'search', 'export', 'query'],
        reveal: 'on-demand',
        revealMinutes: 30,
      },
      {
        name: 'payments',
        permissions: ['metadata', 'decode', 'search', 'export', 'query'],
        reveal: 'automatic',
      },
    ],
  });
  expect(Math.abs(Date.parse(expiresAt) - Date.now() - 600_000)).toBeLessThan(10_000);
});

it('returns the dashboard’s settings from /api/sign-in', async () => {
  const { body } = await ask(server.port, { path: '/api/sign-in' });
  expect(JSON.parse(body)).toEqual({
    required: true,
    authorizationCode: {
      issuer: 'https://login.example.com/',
      clientId: 'codec-dashboard',
      scopes: ['openid', 'email'],
      resource: 'https://codec.example.com',
      token: 'access',
    },
  });
});

async function namespacesFor(who: string): Promise<unknown> {
  const { body } = await askAs(person(who), '/api/namespaces');
  return JSON.parse(body);
}

it('lists only the namespaces where the caller has the permission `metadata`', async () => {
  expect(await namespacesFor('lead')).toEqual({
    namespaces: [{ name: 'cards' }, { name: 'payments' }],
    default: 'payments',
  });
  expect(await namespacesFor('partner')).toEqual({ namespaces: [{ name: 'orders' }], default: 'orders' });
});
