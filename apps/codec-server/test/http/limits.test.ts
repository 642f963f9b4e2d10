import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AppDeps } from '../../src/app.ts';
import { ask } from '../access/support/server.ts';
import { forFile } from '../support/for-file.ts';
import { posted, serveApp, serveWatched, waitingCodec } from '../support/served.ts';
import {
  appWith,
  bodyOf,
  headers,
  keys,
  noTemporal,
  type Payload,
  plain,
  post,
  startKms,
} from '../support/stack.ts';
import { RUN } from '../support/routes.ts';

const kms = forFile(await startKms());
afterEach(() => vi.useRealTimers());

const decode = (body: string, limits: AppDeps['limits'] = {}, more: Partial<AppDeps> = {}) =>
  post(appWith(kms, { limits, ...more }), '/decode', body);

/** Returns this many JSON members, each with a different key. */
const members = (count: number): string => Array.from({ length: count }, (_, n) => `"k${n}":""`).join(',');

/** Returns a payload in the format of the codec in Google's guide, whose messages name no key. */
const nameless = (n: number): Payload => ({
  metadata: { encoding: Buffer.from('binary/envelope-kms'), 'encrypted-dek': Buffer.from(`data key ${n}`) },
  data: Buffer.alloc(64),
});

describe('a request', () => {
  it('gets 413 for a body that is too large', async () => {
    const response = await decode(bodyOf([plain('x'.repeat(200))]), { maxBody: 100 });
    expect([response.status, await response.text()]).toEqual([413, expect.stringContaining('100 bytes')]);
  });

  it('has a smaller limit for its body if it is a request of the history API', async () => {
    const body = JSON.stringify({ refs: ['1:0'], padding: 'x'.repeat(256 * 1024) });
    const length = { 'content-length': String(body.length) };
    const response = await post(appWith(kms), `${RUN}/payloads:decode`, body, length);
    expect([response.status, await response.json()]).toEqual([
      413,
      { error: { code: 'too_large', message: expect.stringContaining('262144 bytes') } },
    ]);
  });

  it('gets 413 for too many payloads, with the limit in the message', async () => {
    expect((await decode(bodyOf([{}, {}]), { maxPayloads: 2 })).status).toBe(200);
    const response = await decode(bodyOf([{}, {}, {}]), { maxPayloads: 2 });
    expect([response.status, await response.text()]).toEqual([413, expect.stringMatching(/3 payloads.* 2;/)]);
  });

  it.each([
    ['payloads', `{"payloads":[${'{},'.repeat(500)}{}]}`, 'at least 3 payloads'],
    ['payloads with data', `{"payloads":[${'{"data":""},'.repeat(500)}{"data":""}]}`, '3 payloads'],
    ['metadata', `{"payloads":[{"metadata":{${members(65)}}}]}`, 'payloads[0].metadata has more than 64'],
    [
      'metadata entries with an escaped key',
      `{"payloads":[{},{"metadata":{"\\u0061":"",${members(64)}}}]}`,
      'payloads[1]',
    ],
    [
      'metadata entries in a single payload',
      `{"payloads":[{"metadata":{${members(300_000)}}}]}`,
      '64 entries',
    ],
    ['external payloads', `{"payloads":[{"externalPayloads":[${'{},'.repeat(64)}{}]}]}`, '64 entries'],
    [
      'external payloads in a single payload',
      `{"payloads":[{"externalPayloads":[${'{},'.repeat(999)}{}]}]}`,
      '512 JSON values',
    ],
    ['unknown fields', `{"payloads":[{${members(999)}}]}`, '512 JSON values'],
    ['values in an unknown field', `{"x":[${'0,'.repeat(500)}0]}`, '256 JSON values'],
    ['characters in a key', `{"payloads":[{"metadata":{"${'k'.repeat(1_025)}":""}}]}`, '1024 characters'],
  ])('gets 413 for far more %s than allowed, before they are parsed', async (_, body, why) => {
    for (const route of ['/decode', '/encode']) {
      const response = await post(appWith(kms, { limits: { maxPayloads: 2 } }), route, body);
      expect([response.status, await response.text()]).toEqual([413, expect.stringContaining(why)]);
    }
  });

  it('is accepted with the maximum number of metadata entries per payload', async () => {
    const body = `{"payloads":[{"metadata":{${members(64)}},"data":"MQ=="}]}`;
    expect((await decode(body)).status).toBe(200);
  });

  it.each([
    ['transfer-encoding', 'gzip, chunked', 501],
    ['transfer-encoding', 'chunked, chunked', 501],
    ['content-encoding', 'gzip', 415],
  ])('with the header %s: %s gets %d', async (name, value, status) => {
    expect((await post(appWith(kms), '/decode', '{}', { [name]: value })).status).toBe(status);
  });

  it.each(['[', '{"a":'])(
    'with 33 nested levels of %s gets 400 on every route that takes a body',
    async (open) => {
      const body = open.repeat(33);
      const response = await decode(body);
      expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('32 levels')]);
      const ofRun = await post(appWith(kms), `${RUN}/payloads:decode`, body);
      expect([ofRun.status, await ofRun.text()]).toEqual([400, expect.stringContaining('32 levels')]);
    },
  );

  it('gets 413 if its payloads have more than 64 uncached wrapped keys, before any Cloud KMS request', async () => {
    const payloads: Payload[] = [];
    for (let n = 0; n < 65; n += 1) {
      await using writer = kms.another();
      payloads.push(...(await writer.codec.encode([plain(n)], { namespace: 'payments' })));
    }
    await using reader = kms.another();
    const codec = reader.codec;
    kms.emulator.calls.reset();
    const response = await decode(bodyOf(payloads), {}, { codec });
    expect([response.status, await response.text()]).toEqual([
      413,
      expect.stringContaining('64 uncached wrapped keys'),
    ]);
    expect(kms.emulator.calls.count('Decrypt')).toBe(0);
    expect((await decode(bodyOf(payloads.slice(1)), {}, { codec })).status).toBe(200);
    // The previous request has cached 64 of the keys.
    expect((await decode(bodyOf(payloads), {}, { codec })).status).toBe(200);
  });

  it('is charged one Cloud KMS call per possible key for each message without a key id', async () => {
    const both = { encrypt: keys.payments, decrypt: [keys.orders], reads: ['envelope'] as const };
    const tried = await startKms({ payments: both });
    const many = bodyOf(Array.from({ length: 33 }, (_, n) => nameless(n)));
    const response = await post(appWith(tried), '/decode', many);
    expect([response.status, await response.text()]).toEqual([
      413,
      expect.stringContaining('64 uncached wrapped keys'),
    ]);
    expect(tried.emulator.calls.count('Decrypt')).toBe(0);
    await tried.close();
  });

  it('gets 504 if it takes too long, and the server stops working on it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { codec, given, go } = waitingCodec(kms);
    const { port } = await serveApp(kms, { codec, limits: { requestMs: 2_000 } });
    const body = bodyOf(Array.from({ length: 2_000 }, () => plain(1)));
    const asked = ask(port, {
      method: 'POST',
      path: '/decode',
      headers: Object.entries(posted('').headers),
      body,
    });
    await expect.poll(given).toBe(500);
    vi.advanceTimersByTime(2_000);
    expect(await asked).toMatchObject({ status: 504, body: expect.stringContaining('2000 ms') });
    go();
    await sleep(100);
    expect(given()).toBe(500);
  });
});

describe('a request whose client disconnects', () => {
  it('causes no work beyond the slice of payloads that was in progress', async () => {
    const { codec, given, go } = waitingCodec(kms);
    const { url, closed } = await serveWatched(kms, { codec });
    const leave = new AbortController();
    const body = bodyOf(Array.from({ length: 5_000 }, () => plain(1)));
    const asked = fetch(`${url}/decode`, posted(body, leave.signal));
    while (given() === 0) await sleep(5);
    leave.abort();
    await expect(asked).rejects.toThrow();
    await closed;
    go();
    await sleep(100);
    expect(given()).toBe(500);
  });
});

describe('the limit on concurrent requests', () => {
  it('rejects further requests with 503 and Retry-After, and accepts requests again later', async () => {
    const { codec, given, go } = waitingCodec(kms);
    const app = appWith(kms, { codec, limits: { maxRequests: 2 } });
    const one = bodyOf([plain(1)]);
    const two = [1, 2].map(() => post(app, '/decode', one));
    while (given() < 2) await sleep(5);
    const third = await post(app, '/decode', one);
    expect([third.status, third.headers.get('retry-after'), await third.text()]).toEqual([
      503,
      '1',
      expect.stringContaining('2 requests'),
    ]);
    const api = await app.request('/api/namespaces', { headers });
    expect(await api.json()).toMatchObject({ error: { code: 'busy' } });
    go();
    for (const response of await Promise.all(two)) expect(response.status).toBe(200);
    expect((await post(app, '/decode', one)).status).toBe(200);
  });

  it('never applies to the probes', async () => {
    expect((await appWith(kms, { limits: { maxRequests: 0 } }).request('/healthz')).status).toBe(200);
  });
});

it('returns 503 for requests that are still in flight at the end of the shutdown period', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const stopping = new AbortController();
  const temporal = { ...noTemporal, describe: () => new Promise<never>(() => undefined) };
  const app = appWith(kms, { temporal, stopping: stopping.signal });
  const asked = app.request(`${RUN}/history`, { headers });
  stopping.abort();
  await vi.advanceTimersByTimeAsync(8_000);
  const response = await asked;
  expect([response.status, await response.json()]).toMatchObject([503, { error: { code: 'shutting_down' } }]);
});
