import { randomBytes } from 'node:crypto';
import { countDenials, createAudit } from '@temporal-kms/audit';
import { Context } from 'hono';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parsePolicy } from '../../src/access/policy.ts';
import type { AppDeps } from '../../src/app.ts';
import { Bucket } from '../../src/http/account.ts';
import type { Env } from '../../src/http/context.ts';
import { createRateLimits } from '../../src/http/rate-limits.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { issuersOf } from '../access/support/issuers.ts';
import { accessOf } from '../access/support/issuers.ts';
import { ask, type Asked, emptyTemporal } from '../access/support/server.ts';
import { forFile } from '../support/for-file.ts';
import { serveApp, waitingCodec } from '../support/served.ts';
import { keptLog } from '../support/kept-log.ts';
import { bodyOf, keys, type Payload, plain, startKms, text } from '../support/stack.ts';

// These tests attack the server with too many requests, in loops of limited length, over real connections,
// with real tokens.
const policy = parsePolicy(`
issuers:
  company:
    type: oidc
    issuer: https://issuer.example/
    audience: codec
    tokens: access
    jwks: https://issuer.example/keys
rules:
  - issuer: company
    match: { sub: reader }
    namespaces: [payments]
    permissions: [metadata, decode]
  - issuer: company
    match: { sub: auditor }
    namespaces: [payments]
    permissions: [decode]
...
`);
const message = plain('canary-9b41d2');
const reads = ['envelope-v2', 'direct'] as const;
const kms = forFile(await startKms({ payments: { encrypt: keys.payments, reads } }));
const issuers = await issuersOf(policy, Date.now);
const context = { type: 'activity', namespace: 'payments' } as const;
const body = bodyOf(await kms.codec.encode([message], context));
afterEach(() => vi.useRealTimers());

const tokenOf = (subject: string, claims = {}): Promise<string> =>
  issuers.token('company', { sub: subject, ...claims });

async function server(deps: Partial<AppDeps> = {}) {
  const lines: string[] = [];
  const audit = countDenials(createAudit({ write: async (entry) => void lines.push(JSON.stringify(entry)) }));
  const kept = keptLog();
  const { port } = await serveApp(kms, {
    access: accessOf(policy, issuers),
    audit,
    log: kept.log,
    temporal: emptyTemporal,
    ...deps,
  });
  const send = (token: string | undefined, asked: Partial<Asked> = {}) =>
    ask(port, {
      method: 'POST',
      path: '/decode',
      body,
      ...asked,
      headers: [
        ['Content-Type', 'application/json'],
        ['X-Namespace', 'payments'],
        ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const]),
        ...(asked.headers ?? []),
      ],
    });
  return { port, send, audit, audited: lines, logged: kept.lines };
}

type Send = Awaited<ReturnType<typeof server>>['send'];
async function statuses(count: number, ask_: () => ReturnType<Send>): Promise<Record<number, number>> {
  const seen: Record<number, number> = {};
  for (let n = 0; n < count; n += 1) {
    const { status } = await ask_();
    seen[status] = (seen[status] ?? 0) + 1;
  }
  return seen;
}

/** Returns a message that Cloud KMS cannot decrypt, in the direct format of Google's guide. */
const guide = (): Payload => ({ metadata: { encoding: text('binary/gcp-kms') }, data: randomBytes(200) });

describe('a caller without permissions', () => {
  it('causes a limited number of audit lines, which count all denials', async () => {
    const { send, audit, audited, logged } = await server();
    const stranger = await tokenOf('nobody');
    expect(await statuses(300, () => send(stranger))).toEqual({ 403: 300 });
    expect(audited).toHaveLength(1);
    expect(logged.length).toBeLessThanOrEqual(10);
    await audit.flush();
    expect(audited.map((line) => JSON.parse(line))).toMatchObject([
      { event: 'denied', who: { subject: 'nobody' }, namespace: 'payments', operation: 'decode' },
      { event: 'denied', who: { subject: 'nobody' }, namespace: 'payments', count: 299 },
    ]);
  });

  it('causes no further audit lines by using a new token, route or header in each request', async () => {
    const { port, audited, audit } = await server();
    for (let n = 0; n < 30; n += 1) {
      const token = await tokenOf('nobody', { jti: `${n}` });
      const headers = [[n % 2 === 0 ? 'AUTHORIZATION' : 'authorization', `bearer ${token}`]] as const;
      for (const path of ['workflows', 'workflows:count', 'keys', 'audit'])
        await ask(port, { path: `/api/namespaces/payments/${path}`, headers });
    }
    expect(audited).toHaveLength(2);
    await audit.flush();
    expect(audited).toHaveLength(4);
  });
});

const garbage = { body: '{' } as const;

describe('a caller whose requests are refused', () => {
  it('gets 429 with Retry-After before the server reads or audits the body, and is served again later', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { send, audited, port } = await server({ rates: { refused: 20 } });
    const token = await tokenOf('reader');
    expect(await statuses(20, () => send(token, garbage))).toEqual({ 400: 20 });
    audited.length = 0;
    const refused = await send(token, { body: 'x'.repeat(1_000_000) });
    expect(refused).toMatchObject({ status: 429, body: expect.stringContaining('CODEC_RATE_REFUSED') });
    const response = await fetch(`http://127.0.0.1:${port}/api/me`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('3');
    expect(await response.json()).toMatchObject({ error: { code: 'rate_limited' } });
    expect(audited).toEqual([]);
    vi.advanceTimersByTime(3_000);
    expect((await send(token)).status).toBe(200);
  });

  it.each([
    ['an operation without the permission', 403, { path: '/encode' }],
    ['a path without a route', 404, { path: '/api/nowhere' }],
    ['a namespace that is not configured', 400, { headers: [['X-Namespace', 'other']] as const }],
  ])('is limited after requests for %s, without affecting other callers', async (_, status, asked) => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { send } = await server({ rates: { refused: 5 } });
    const eager = await tokenOf('reader');
    expect(await statuses(20, () => send(eager, asked))).toEqual({ [status]: 5, 429: 15 });
    expect((await send(await tokenOf('auditor'))).status).toBe(200);
  });

  it('cannot evade the limit with new tokens, a header in another case, or X-Forwarded-For', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { send, port } = await server({ rates: { refused: 5 } });
    const spent = await tokenOf('reader');
    await statuses(5, () => send(spent, garbage));
    for (let n = 0; n < 10; n += 1) {
      const token = await tokenOf('reader', { jti: `${n}`, email: `${n}@example.com` });
      const forwarded = [['X-Forwarded-For', `10.0.0.${n}`]] as const;
      expect((await send(token, { headers: forwarded })).status).toBe(429);
      const headers = [['aUTHORIZATION', `BEARER   ${token}`]] as const;
      expect((await ask(port, { path: '/api/me', headers })).status).toBe(429);
    }
  });

  it('can still read a history in which payloads cannot be decrypted', async () => {
    const { send } = await server({ rates: { refused: 1, kmsRequests: undefined } });
    const token = await tokenOf('reader');
    const damaged = JSON.parse(body);
    damaged.payloads[0].data = `${damaged.payloads[0].data.slice(0, -8)}AAAAAAA=`;
    expect(await statuses(5, () => send(token, { body: JSON.stringify(damaged) }))).toEqual({ 400: 5 });
    expect((await send(token)).status).toBe(200);
  });
});

describe('a caller with many requests', () => {
  it('is always served if the payloads’ keys are in memory', async () => {
    const { send } = await server({ rates: { kmsRequests: 1, refused: 1 } });
    const token = await tokenOf('reader');
    await send(token);
    expect(await statuses(60, () => send(token))).toEqual({ 200: 60 });
  });

  it('may have at most three quarters of the requests in flight, so that other callers still have room', async () => {
    const { codec, given, go } = waitingCodec(kms);
    const { send } = await server({ codec, limits: { maxRequests: 4 } });
    const [eager, other] = [await tokenOf('reader'), await tokenOf('auditor')];
    const held = [1, 2, 3].map(() => send(eager));
    await expect.poll(given).toBe(3);
    const refused = await send(eager);
    expect(refused).toMatchObject({ status: 429, body: expect.stringContaining('CODEC_MAX_REQUESTS') });
    const theirs = send(other);
    await expect.poll(given).toBe(4);
    go();
    expect((await Promise.all([...held, theirs])).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect((await send(eager)).status).toBe(200);
  });
});

describe('a caller without a valid token', () => {
  it('gets 429 after too many rejected requests from its address; callers with a valid token are still served there', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { send, logged } = await server({ rates: { refused: 10 } });
    let n = 0;
    const forged = () =>
      send(`${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.${(n += 1)}`, {
        headers: [['X-Forwarded-For', `10.0.0.${n}`]],
      });
    expect(await statuses(40, forged)).toEqual({ 401: 10, 429: 30 });
    expect(await statuses(5, () => send(undefined))).toEqual({ 429: 5 });
    expect((await send(undefined, { path: '/api/nowhere', method: 'GET' })).status).toBe(429);
    expect((await send(await tokenOf('reader'))).status).toBe(200);
    expect(logged.length).toBeLessThanOrEqual(40);
  });

  it('is identified by the address that the trusted proxy reports; for IPv6, by the address’s network prefix', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { send } = await server({ rates: { refused: 2 }, proxies: 1 });
    const from = (address: string) =>
      send(undefined, { headers: [['X-Forwarded-For', `1.1.1.1, ${address}`]] });
    expect(await statuses(4, () => from('203.0.113.9'))).toEqual({ 401: 2, 429: 2 });
    expect((await from('203.0.113.10')).status).toBe(401);
    const network = ['2001:db8::1', '2001:0db8:0::2', '2001:db8:0:0:1:2:3:4', '2001:DB8:0:0:ffff::'];
    expect(await Promise.all(network.map(async (one) => (await from(one)).status))).toEqual([
      401, 401, 429, 429,
    ]);
    expect((await from('2001:db8:0:1::1')).status).toBe(401);
  });

  it('cannot fill the log or memory with methods, routes and paths', async () => {
    const { logged, port } = await server();
    const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'PURGE', 'LINK', 'SEARCH', 'COPY', 'LOCK'];
    const paths = ['decode', 'encode', 'x', 'api/x', 'api/me', 'api/namespaces', 'api/namespaces/a/keys'];
    for (let n = 0; n < 12; n += 1) {
      for (const path of paths)
        await Promise.all(methods.map((method) => ask(port, { method, path: `/${path}?${n}` })));
    }
    expect(logged.length).toBeLessThanOrEqual(640);
    expect(logged.join('').length).toBeLessThan(200_000);
  });
});

/**
 * The time limit of a request. A request waits for up to half of this time. The rates in these tests allow
 * the next Cloud KMS request after 3 s at the earliest.
 */
const impatient = { requestMs: 5_000 } as const;

describe('the limit on Cloud KMS requests', () => {
  it('counts requests as they are made (two for each invalid payload), and leads to 429 once it is reached', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { send } = await server({ rates: { kmsRequests: 20 }, limits: impatient });
    const token = await tokenOf('reader');
    kms.emulator.calls.reset();
    const seen = await statuses(40, () => send(token, { body: bodyOf([guide()]) }));
    expect(seen[429]).toBeGreaterThan(20);
    expect(kms.emulator.calls.count('Decrypt')).toBeLessThanOrEqual(22);
    expect(kms.emulator.calls.count('Decrypt')).toBeGreaterThanOrEqual(18);
    // Payloads that need no Cloud KMS request are still decoded.
    expect((await send(token)).status).toBe(200);
  });

  it('is checked before the work starts if the request has several payloads', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { send } = await server({ rates: { kmsRequests: 20 }, limits: impatient });
    const token = await tokenOf('reader');
    kms.emulator.calls.reset();
    const many = bodyOf(Array.from({ length: 15 }, guide));
    const answers = await Promise.all([1, 2, 3, 4].map(() => send(token, { body: many })));
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(3);
    expect(kms.emulator.calls.count('Decrypt')).toBeLessThanOrEqual(30);
  });

  it('applies to each caller separately', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { send } = await server({ rates: { kmsRequests: 4 }, limits: impatient });
    const eager = await tokenOf('reader');
    await statuses(10, () => send(eager, { body: bodyOf([guide()]) }));
    expect((await send(eager, { body: bodyOf([guide()]) })).status).toBe(429);
    expect((await send(await tokenOf('nobody'), { body: bodyOf([guide()]) })).status).toBe(403);
  });

  it('makes requests wait, but limits the number of waiting requests and their memory', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const rates = createRateLimits({ kmsRequests: 600 });
    const c = new Context<Env>(new Request('http://localhost'));
    c.set('account', rates.admit({ name: 'reader' }));
    const allowance = rates.kms(c.get('account'));
    if (allowance === undefined) throw new RangeError('There is no limit.');
    expect(allowance.take(600)).toBe(0);
    const limited = { status: 429, code: 'rate_limited' };
    await expect(rates.takeKms(c, allowance, 1, 300_000)).rejects.toMatchObject(limited);
    await expect(rates.takeKms(c, allowance, 300, 0)).rejects.toMatchObject(limited);
    const waiting = Array.from({ length: 40 }, () => rates.takeKms(c, allowance, 1, 2_000));
    const settled = Promise.allSettled(waiting);
    // The limit allows ten requests per second.
    vi.advanceTimersByTime(4_000);
    expect((await settled).filter(({ status }) => status === 'fulfilled')).toHaveLength(32);
    await rates.takeKms(c, allowance, 1, 2_000);
  });
});

it('counts rate-limited requests in the metrics, without a label for the caller', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const meter = createMetrics();
  const { send } = await server({ rates: { refused: 1 }, meter });
  const token = await tokenOf('reader');
  await statuses(3, () => send(token, garbage));
  await statuses(3, () => send(undefined));
  const metrics = await meter.text();
  expect(metrics).toContain('codec_rate_limited_total{limit="refused"} 2');
  expect(metrics).toContain('codec_rate_limited_total{limit="unauthenticated"} 2');
});

describe('Bucket', () => {
  it.each([
    ['returns the tokens that were not used', 60, 10, 90],
    ['returns no more tokens than the bucket can hold', 1_000, 30, 70],
    ['takes the tokens that were used in addition', 10, 150, -50],
    ['returns no tokens that were used', 150, 120, 0],
  ])('%s', (_, taken, used, left) => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const bucket = new Bucket(100);
    expect(bucket.take(taken)).toBe(0);
    bucket.settle(taken, used);
    expect(bucket.available()).toBe(left);
  });
});
