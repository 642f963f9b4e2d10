import { decodeProtectedHeader } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import { accessLoader } from '../../src/access/policy-access.ts';
import type { RunningServer } from '../../src/server/listen.ts';
import { forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { bodyOf, serve, startKms, text } from '../support/stack.ts';
import { company, policyFile } from './support/policy-file.ts';
import { AUDIENCE, startProvider, type TestProvider } from './support/provider.ts';
import { type Answer, ask, emptyTemporal } from './support/server.ts';

const MINUTE = 60_000;

let provider: TestProvider & AsyncDisposable;
let server: RunningServer;
let log: ReturnType<typeof keptLog>;
let late = 0;

const policyOf = (tokens: string, audience: string): string => `${company(provider.issuer, audience, tokens)}
rules:
  - issuer: company
    match: { groups: payments-support }
    namespaces: [payments]
    permissions: [metadata, decode]
  - issuer: company
    match: { client_id: tools, scope: codec }
    namespaces: [payments]
    permissions: [encode, decode]
  - issuer: company
    match: { email: ana@example.com }
    namespaces: [orders]
    permissions: [metadata]
...
`;

async function serving(tokens = 'access', audience = AUDIENCE): Promise<RunningServer> {
  const file = policyFile(policyOf(tokens, audience));
  const access = accessLoader(file, { log: log.log, canDecrypt: () => true, now: () => Date.now() + late })();
  return serve(kms, { access, temporal: emptyTemporal, log: log.log });
}

const kms = forFile(await startKms());
beforeEach(async () => {
  late = 0;
  log = keptLog();
  provider = await startProvider();
  server = await serving();
  return async () => {
    await server.close(1_000);
    await provider[Symbol.asyncDispose]();
  };
});

const protocol = (
  token: string,
  operation: string,
  body: string,
  namespace = 'payments',
  to = server,
): Promise<Answer> =>
  ask(to.port, {
    method: 'POST',
    path: `/${operation}`,
    headers: [
      ['Authorization', `Bearer ${token}`],
      ['Content-Type', 'application/json'],
      ['X-Namespace', namespace],
    ],
    body,
  });
const me = (token: string, to = server): Promise<Answer> =>
  ask(to.port, { path: '/api/me', headers: [['Authorization', `Bearer ${token}`]] });

/** Returns the log entries about the issuer's keys. */
const entries = (): object[] =>
  log.lines.map((line) => JSON.parse(line)).filter(({ message }) => message.startsWith("issuer's keys"));

const clear = bodyOf([{ metadata: { encoding: text('json/plain') }, data: text('"canary-412"') }]);

describe('a server that accepts the tokens of a real provider', () => {
  it('lets a program encode and a person decode, and refuses what the policy does not grant', async () => {
    const program = await provider.programToken();
    expect(decodeProtectedHeader(program).typ).toBe('at+jwt');
    const encrypted = await protocol(program, 'encode', clear);
    expect(encrypted).toMatchObject({ status: 200, body: expect.not.stringContaining('ImNhbmFyeS00MTIi') });

    const { accessToken } = await provider.personTokens('ana');
    const decrypted = await protocol(accessToken, 'decode', encrypted.body);
    expect(decrypted.status).toBe(200);
    expect(JSON.parse(decrypted.body)).toEqual(JSON.parse(clear));

    expect((await protocol(accessToken, 'encode', clear)).status).toBe(403);
    expect((await protocol(program, 'decode', encrypted.body, 'orders')).status).toBe(403);
  });

  it('names a person by e-mail address, and states when the token expires', async () => {
    const { accessToken } = await provider.personTokens('ana');
    const { body } = await me(accessToken);
    expect(JSON.parse(body)).toEqual({
      name: 'ana@example.com',
      expiresAt: expect.any(String),
      namespaces: [
        { name: 'orders', permissions: ['metadata'], reveal: 'automatic' },
        { name: 'payments', permissions: ['metadata', 'decode'], reveal: 'automatic' },
      ],
    });
  });

  it('refuses ID tokens if the policy accepts access tokens', async () => {
    const { idToken } = await provider.personTokens('ana');
    expect(await me(idToken)).toMatchObject({
      status: 401,
      challenge: expect.stringContaining('invalid_token'),
    });
  });

  it('refuses access tokens if the policy accepts ID tokens', async () => {
    const other = await serving('id', 'dashboard');
    try {
      const { accessToken, idToken } = await provider.personTokens('ana');
      expect((await me(idToken, other)).status).toBe(200);
      expect((await me(accessToken, other)).status).toBe(401);
    } finally {
      await other.close(1_000);
    }
  });

  it('still accepts tokens if the policy is reloaded while the issuer is unreachable', async () => {
    const file = policyFile(policyOf('access', AUDIENCE));
    const load = accessLoader(file, { log: log.log, canDecrypt: () => true });
    const { accessToken } = await provider.personTokens('ana');
    const request = {
      header: (name: string) => (name === 'authorization' ? `Bearer ${accessToken}` : undefined),
    };
    expect(await load().authenticate(request)).toMatchObject({ name: 'ana@example.com' });
    await provider[Symbol.asyncDispose]();
    expect(await load().authenticate(request)).toMatchObject({ name: 'ana@example.com' });
    provider = await startProvider();
  });
});

describe("the cache of the provider's keys", () => {
  it('fetches the keys once every ten minutes, however many tokens arrive', async () => {
    await Promise.all(Array.from({ length: 20 }, async () => me(await provider.programToken())));
    late = 9 * MINUTE;
    expect((await me(await provider.programToken())).status).toBe(200);
    expect(provider.keyRequests()).toBe(1);
  });

  it('contains a new key as soon as a token signed with that key arrives', async () => {
    const old = await provider.programToken();
    expect((await me(old)).status).toBe(200);
    await provider.rotate();
    late = 11_000;
    const renewed = await provider.programToken();
    expect((await me(renewed)).status).toBe(200);
  });

  it('no longer contains a withdrawn key after a refresh', async () => {
    const old = await provider.programToken();
    expect((await me(old)).status).toBe(200);
    await provider.rotate();
    late = 11 * MINUTE;
    expect((await me(old)).status).toBe(401);
    expect((await me(old)).challenge).toContain('a key that its issuer does not have');
  });

  it('fetches the keys at most once every ten seconds for tokens that are signed with unknown keys', async () => {
    expect((await me(await provider.programToken())).status).toBe(200);
    await using stranger = await startProvider();
    const unknown = (await stranger.programToken()).split('.');
    const claims = JSON.parse(Buffer.from(unknown[1]!, 'base64url').toString());
    const header = { alg: 'RS256', typ: 'at+jwt', kid: 'unknown' };
    const forged = [header, { ...claims, iss: provider.issuer }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const before = provider.keyRequests();
    for (let time = 0; time < 3; time += 1) {
      late += 10_000;
      const answers = await Promise.all(Array.from({ length: 20 }, () => me(`${forged}.${unknown[2]}`)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    }
    expect(provider.keyRequests() - before).toBe(3);
  });

  it('keeps the keys for the first hour of an outage; then tokens get 401 with the reason until the issuer is available', async () => {
    const known = await provider.programToken();
    expect((await me(known)).status).toBe(200);
    await provider.down();

    late = 59 * MINUTE;
    expect((await me(known)).status).toBe(200);

    late = 61 * MINUTE;
    const answer = await me(known);
    expect(answer).toMatchObject({ status: 401, code: 'unauthenticated', challenge: 'Bearer' });
    expect(answer.body).toContain('cannot be verified');
    const { issuer } = provider;
    expect(entries()).toMatchObject([
      { message: "issuer's keys unavailable", issuer, reason: 'fetch failed: ECONNREFUSED' },
    ]);

    await provider.up();
    late += 11_000;
    expect((await me(known)).status).toBe(200);
    expect(entries()).toMatchObject([{}, { message: "issuer's keys available again", issuer }]);
  });

  it('does not block startup while the issuer is unreachable, and fetches the keys once the issuer is available', async () => {
    const token = await provider.programToken();
    await provider.down();
    const other = await serving();
    try {
      expect((await me(token, other)).status).toBe(401);
      expect((await ask(other.port, { path: '/readyz' })).status).toBe(200);
      await provider.up();
      late = 11_000;
      expect((await me(token, other)).status).toBe(200);
    } finally {
      await other.close(1_000);
    }
  });
});
