import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { describe, expect, test } from 'vitest';
import type { Env } from '../../src/http/context.ts';
import { defaultLimits, limitStreams } from '../../src/http/limits.ts';
import { ndjson } from '../../src/http/ndjson.ts';
import { reply } from '../../src/http/reply.ts';
import { cutSlowReaders } from '../../src/http/slow-readers.ts';
import { served } from '../support/served.ts';

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
  const admit = limitStreams(all);
  app.use(watching(all.stalledMs));
  app.get('/', (c) => {
    admit(c);
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
  return { ...(await served(() => app)), ended: () => ended };
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
    const { port } = await served(() => app);
    const socket = connect(port, '127.0.0.1');
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
