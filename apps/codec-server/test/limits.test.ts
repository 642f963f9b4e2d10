import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openAccess } from '../src/access/access.ts';
import type { AppDeps } from '../src/app.ts';
import { type Env, reply } from '../src/http/context.ts';
import { defaultLimits, limitStreams } from '../src/http/limits.ts';
import { parseJson } from '../src/http/json-depth.ts';
import { ndjson } from '../src/http/ndjson.ts';
import { Refusal } from '../src/http/refusal.ts';
import { cutSlowReaders } from '../src/http/slow-readers.ts';
import { buildPayloads } from '../src/payload-json.ts';
import { listen, type RunningServer } from '../src/server.ts';
import { appWith, HOST, type Kms, type Payload, plain, startKms } from './support/stack.ts';

let kms: Kms;
beforeAll(async () => {
  kms = await startKms();
});
afterAll(() => kms.close());

const running: RunningServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close(0)));
});

const headers = { host: HOST, 'content-type': 'application/json', 'x-namespace': 'payments' };
const post = (body: string, limits: AppDeps['limits'] = {}, more: Partial<AppDeps> = {}) =>
  appWith(kms, { limits, ...more }).request('/decode', { method: 'POST', headers, body });
const json = (payloads: Payload[]): string => String(buildPayloads(payloads));

/** The application on a port of its own. */
async function serve(deps: Partial<AppDeps>): Promise<{ port: number; url: string }> {
  const server = await listen({
    host: '127.0.0.1',
    port: 0,
    app: (port) => appWith(kms, { hosts: [`127.0.0.1:${port}`], ...deps }),
  });
  running.push(server);
  return { port: server.port, url: `http://127.0.0.1:${server.port}` };
}

/** A codec whose decoding waits, and counts the payloads that it was given. */
function waitingCodec(): { codec: KmsCodec; given: () => number; go: () => void } {
  const gate = Promise.withResolvers<void>();
  let given = 0;
  const codec = new Proxy(kms.codec, {
    get: (target, name) => {
      if (name === 'decode') {
        return async (payloads: Payload[]) => {
          given += payloads.length;
          await gate.promise;
          return payloads;
        };
      }
      const value: any = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { codec, given: () => given, go: () => gate.resolve() };
}

describe('a request', () => {
  test('with a body that is too large is 413', async () => {
    const response = await post(json([plain('x'.repeat(200))]), { maxBody: 100 });
    expect([response.status, await response.text()]).toEqual([413, expect.stringContaining('100 bytes')]);
  });

  test('of the history API has a smaller one', async () => {
    const body = JSON.stringify({ refs: ['1:0'], padding: 'x'.repeat(256 * 1024) });
    const run = '/api/namespaces/payments/workflows/w/runs/0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa';
    const response = await appWith(kms).request(`${run}/payloads:decode`, {
      method: 'POST',
      headers: { ...headers, 'content-length': String(body.length) },
      body,
    });
    expect([response.status, await response.json()]).toEqual([
      413,
      { error: { code: 'too_large', message: expect.stringContaining('262144 bytes') } },
    ]);
  });

  test('with too many payloads is 413 and says how many it may hold', async () => {
    expect((await post(json([{}, {}]), { maxPayloads: 2 })).status).toBe(200);
    const response = await post(json([{}, {}, {}]), { maxPayloads: 2 });
    expect([response.status, await response.text()]).toEqual([413, expect.stringMatching(/3 payloads.* 2;/)]);
  });

  test.each([
    ['payloads', `{"payloads":[${'{},'.repeat(500)}{}]}`],
    ['payloads as clients write them', `{"payloads":[${'{"data":""},'.repeat(500)}{"data":""}]}`],
    [
      'metadata',
      `{"payloads":[{"metadata":{${Array.from({ length: 500 }, (_, n) => `"k${n}":""`).join(',')}}}]}`,
    ],
    ['values that mean nothing', `{"x":[${'0,'.repeat(500)}0]}`],
  ])('with far more %s than it may hold is 413 before they are made', async (_, body) => {
    const response = await post(body, { maxPayloads: 2 });
    expect([response.status, await response.text()]).toEqual([413, expect.stringContaining('96 values')]);
  });

  test.each(['[', '{"a":'])(
    'that nests 33 levels of %s is 400, on every route that takes a body',
    async (open) => {
      const body = open.repeat(33);
      const response = await post(body);
      expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('32 levels')]);
      const run = '/api/namespaces/payments/workflows/w/runs/0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa';
      const decode = await appWith(kms).request(`${run}/payloads:decode`, { method: 'POST', headers, body });
      expect([decode.status, await decode.text()]).toEqual([400, expect.stringContaining('32 levels')]);
    },
  );

  test('under more than 64 data keys that are not at hand is 413, and Cloud KMS is not asked', async () => {
    const payloads: Payload[] = [];
    for (let n = 0; n < 65; n += 1) {
      await using writer = kms.another();
      payloads.push(...(await writer.codec.encode([plain(n)], { namespace: 'payments' })));
    }
    await using reader = kms.another();
    const codec = reader.codec;
    kms.emulator.calls.reset();
    const response = await post(json(payloads), {}, { codec });
    expect([response.status, await response.text()]).toEqual([413, expect.stringContaining('64 data keys')]);
    expect(kms.emulator.calls.count('Decrypt')).toBe(0);
    expect((await post(json(payloads.slice(1)), {}, { codec })).status).toBe(200);
    // 64 of them are at hand now.
    expect((await post(json(payloads), {}, { codec })).status).toBe(200);
  });

  test('that takes too long is 504, and what is still at work for it ends', async () => {
    const { codec, given, go } = waitingCodec();
    const { url } = await serve({ codec, limits: { requestMs: 100 } });
    const response = await fetch(`${url}/decode`, {
      method: 'POST',
      headers: { ...headers, host: '' },
      body: json(Array.from({ length: 2_000 }, () => plain(1))),
    });
    expect([response.status, await response.text()]).toEqual([504, expect.stringContaining('100 ms')]);
    go();
    await sleep(100);
    expect(given()).toBe(500);
  });
});

describe('a client that goes away', () => {
  test('costs no more than the slice of payloads that was under way', async () => {
    const { codec, given, go } = waitingCodec();
    const { url } = await serve({ codec });
    const leave = new AbortController();
    const body = json(Array.from({ length: 5_000 }, () => plain(1)));
    const asked = fetch(`${url}/decode`, {
      method: 'POST',
      headers: { ...headers, host: '' },
      body,
      signal: leave.signal,
    });
    while (given() === 0) await sleep(5);
    leave.abort();
    await expect(asked).rejects.toThrow();
    await sleep(50);
    go();
    await sleep(100);
    expect(given()).toBe(500);
  });
});

describe('requests at the same time', () => {
  test('are refused with 503 and Retry-After beyond their number, and taken again after it', async () => {
    const { codec, given, go } = waitingCodec();
    const app = appWith(kms, { codec, limits: { maxRequests: 2 } });
    const init = { method: 'POST', headers, body: json([plain(1)]) };
    const two = [1, 2].map(async () => app.request('/decode', init));
    while (given() < 2) await sleep(5);
    const third = await app.request('/decode', init);
    expect([third.status, third.headers.get('retry-after'), await third.text()]).toEqual([
      503,
      '1',
      expect.stringContaining('2 requests'),
    ]);
    const api = await app.request('/api/namespaces', { headers });
    expect(await api.json()).toMatchObject({ error: { code: 'busy' } });
    go();
    for (const response of await Promise.all(two)) expect(response.status).toBe(200);
    expect((await app.request('/decode', init)).status).toBe(200);
  });

  test('never keep the probes from an answer', async () => {
    expect((await appWith(kms, { limits: { maxRequests: 0 } }).request('/healthz')).status).toBe(200);
  });
});

const sent = (body: string, signal?: AbortSignal) => ({
  method: 'POST',
  headers: { ...headers, host: '' },
  body,
  ...(signal && { signal }),
});

describe('large bodies at the same time', () => {
  const large = json([plain('x'.repeat(100_000))]);
  test('are refused with 503 and Retry-After beyond their bytes, small ones never, and taken again after it', async () => {
    const { codec, given, go } = waitingCodec();
    const { url } = await serve({ codec, limits: { maxBodies: 2.5 * large.length } });
    const two = [1, 2].map(async () => fetch(`${url}/decode`, sent(large)));
    await expect.poll(given).toBe(2);
    const third = await fetch(`${url}/decode`, sent(large));
    expect([third.status, third.headers.get('retry-after'), await third.text()]).toEqual([
      503,
      '1',
      expect.stringContaining(`${2 * large.length} bytes of requests`),
    ]);
    const small = fetch(`${url}/decode`, sent(json([plain(1)])));
    await expect.poll(given).toBe(3);
    go();
    for (const response of await Promise.all([...two, small])) {
      expect(response.status).toBe(200);
      await response.text();
    }
    await expect.poll(async () => (await fetch(`${url}/decode`, sent(large))).status).toBe(200);
  });

  test('do not count once their client has gone, and one alone is taken whatever its size', async () => {
    const { codec, given, go } = waitingCodec();
    const { url } = await serve({ codec, limits: { maxBodies: 1 } });
    const leave = new AbortController();
    const gone = fetch(`${url}/decode`, sent(large, leave.signal)).catch(() => undefined);
    await expect.poll(given).toBe(1);
    expect((await fetch(`${url}/decode`, sent(large))).status).toBe(503);
    leave.abort();
    await gone;
    go();
    await expect.poll(async () => (await fetch(`${url}/decode`, sent(large))).status).toBe(200);
  });

  test('of unknown length count as the longest there may be', async () => {
    const { codec, given, go } = waitingCodec();
    const { url, port } = await serve({ codec, limits: { maxBody: 200_000, maxBodies: 250_000 } });
    const first = fetch(`${url}/decode`, sent(large));
    await expect.poll(given).toBe(1);
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `POST /decode HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n` +
        'X-Namespace: payments\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n',
    );
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 503 /);
    socket.destroy();
    go();
    expect((await first).status).toBe(200);
  });

  test('of somebody who has not signed in count nothing', async () => {
    const access: AppDeps['access'] = {
      ...openAccess,
      authenticate: async (request) => {
        await sleep(200);
        if (request.header('authorization') === undefined)
          throw new Refusal(401, 'unauthenticated', 'Sign in.');
        return { name: 'ana' };
      },
    };
    const { url } = await serve({ access, limits: { maxBodies: 1 } });
    const strangers = Array.from({ length: 4 }, async () => fetch(`${url}/decode`, sent(large)));
    const known = await fetch(`${url}/decode`, {
      ...sent(large),
      headers: { ...headers, host: '', authorization: 'x' },
    });
    expect(known.status).toBe(200);
    for (const response of await Promise.all(strangers)) expect(response.status).toBe(401);
  });
});

function watching(stalledMs: number): MiddlewareHandler<Env> {
  const watch = cutSlowReaders(stalledMs);
  return (c, next) => {
    watch(c);
    return next();
  };
}

/** A server of one stream, whose every line is `bytes` long. */
async function streaming(bytes: number, limits: { maxStreams?: number; stalledMs?: number }) {
  const all = { ...defaultLimits, ...limits };
  let ended = 0;
  const app = new Hono<Env>();
  app.use(watching(all.stalledMs), limitStreams(all));
  app.get('/', (c) => {
    c.set('headers', {});
    return ndjson(c, async function* lines(gone) {
      try {
        while (!gone.aborted) {
          yield 'x'.repeat(bytes);
          await sleep(10);
        }
      } finally {
        ended += 1;
      }
    });
  });
  app.onError((error, c) => c.text(error.message, 503));
  const server = await listen({ host: '127.0.0.1', port: 0, app: () => app });
  running.push(server);
  return { port: server.port, url: `http://127.0.0.1:${server.port}/`, ended: () => ended };
}

describe('streams', () => {
  test('count until their connection is done with them', async () => {
    const { url } = await streaming(10, { maxStreams: 1 });
    const leave = new AbortController();
    const first = await fetch(url, { signal: leave.signal });
    await first.body!.getReader().read();
    const second = await fetch(url);
    expect([second.status, await second.text()]).toEqual([503, expect.stringContaining('1 streams')]);
    leave.abort();
    await sleep(100);
    const third = await fetch(url);
    expect(third.status).toBe(200);
    await third.body!.cancel();
  });

  test('are not begun for HEAD, whose answer nobody would read', async () => {
    let opened = 0;
    let begun = 0;
    const app = new Hono<Env>();
    app.get('/', (c) => {
      c.set('headers', {});
      c.set('meter', {
        request: () => undefined,
        streamOpened: () => {
          opened += 1;
          return () => (opened -= 1);
        },
      });
      return ndjson(c, async function* line() {
        begun += 1;
        yield 'x';
      });
    });
    const response = await app.request('/', { method: 'HEAD' });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
    await sleep(10);
    expect({ opened, begun }).toEqual({ opened: 0, begun: 0 });
    await (await app.request('/')).text();
    expect({ opened, begun }).toEqual({ opened: 0, begun: 1 });
  });

  test.each([
    ['asks once', 1],
    ['asks again before it is answered', 2],
  ])('are cut when their reader takes nothing and %s, and what is made for them ends', async (_, times) => {
    const { port, ended } = await streaming(256 * 1024, { stalledMs: 300 });
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(times));
    await once(socket, 'readable');
    // Nothing is read from here on.
    const started = performance.now();
    while (ended() < times && performance.now() - started < 10_000) await sleep(20);
    expect(ended()).toBe(times);
    socket.destroy();
  });

  test('go on while they are read, and while there is nothing to say', async () => {
    const { url, ended } = await streaming(10, { stalledMs: 100 });
    const response = await fetch(url);
    const reader = response.body!.getReader();
    const started = performance.now();
    while (performance.now() - started < 500) expect((await reader.read()).done).toBe(false);
    expect(ended()).toBe(0);
    await reader.cancel();
  });
});

describe('one large answer', () => {
  const MiB = 2 ** 20;
  const large: [string, (c: Context<Env>) => Response][] = [
    ['at once', (c) => reply(c, Buffer.alloc(24 * MiB, 'x'), 'text/plain')],
    [
      'in one line of a stream',
      (c) =>
        ndjson(c, async function* line() {
          yield 'x'.repeat(24 * MiB);
        }),
    ],
  ];

  test.each(large)('is not cut while its reader takes it slowly, %s', async (_, answer) => {
    const app = new Hono<Env>();
    app.use(watching(1_000));
    app.get('/', (c) => {
      c.set('headers', {});
      return answer(c);
    });
    const server = await listen({ host: '127.0.0.1', port: 0, app: () => app });
    running.push(server);
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    let bytes = 0;
    for await (const piece of socket) {
      bytes += piece.length;
      await sleep(10);
    }
    expect(bytes).toBeGreaterThan(24 * MiB);
  });
});

describe('a body of unknown length', () => {
  test('of somebody who has not signed in is not waited for', async () => {
    const access: AppDeps['access'] = {
      ...openAccess,
      authenticate: () => {
        throw new Refusal(401, 'unauthenticated', 'Sign in.');
      },
    };
    const { port } = await serve({ access });
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `POST /decode HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n` +
        'X-Namespace: payments\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n',
    );
    const [head] = await once(socket, 'data', { signal: AbortSignal.timeout(2_000) });
    expect(String(head)).toMatch(/^HTTP\/1.1 401 /);
    socket.destroy();
  });

  test.each([
    '/decode',
    '/api/namespaces/payments/workflows/w/runs/0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa/history:search',
  ])('is 413 on %s once it is too large', async (path) => {
    const { url } = await serve({ limits: { maxBody: 100 } });
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(Buffer.alloc(60, ' ')),
    });
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { ...headers, host: '' },
      body,
      duplex: 'half',
    });
    expect([response.status, await response.text()]).toEqual([413, expect.stringContaining('100 bytes')]);
  });
});

describe('the depth of JSON', () => {
  test.each([
    ['brackets in strings', `["${'['.repeat(99)}"]`],
    ['brackets behind escaped quotes', JSON.stringify([`\\"${'{'.repeat(99)}`])],
    ['many values beside each other', JSON.stringify(Array.from({ length: 99 }, () => ({ a: [1] })))],
    ['32 levels', `${'['.repeat(32)}${']'.repeat(32)}`],
  ])('counts no %s', (_, text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  test('is found behind a string that ends in backslashes', () => {
    expect(() => parseJson(`["\\\\",${'['.repeat(33)}`)).toThrow('32 levels');
  });
});
