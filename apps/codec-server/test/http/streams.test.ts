import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import type { Env } from '../../src/http/context.ts';
import { cutStalledReaders, defaultLimits, limitStreams } from '../../src/http/limits.ts';
import { ndjson, reply } from '../../src/http/responses.ts';
import { MemoryBudget } from '../../src/memory.ts';
import { signedInFor } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { memory } from '../support/memory.ts';
import { pageOf, signaled, temporalWith } from '../support/planted-run.ts';
import { posted, serveApp, served, serveWatched, startPost } from '../support/served.ts';
import { noAccess, recordedAudit, startKms } from '../support/stack.ts';
import { RUN } from '../support/routes.ts';

/** Returns an application with one route. */
function answering(answer: (c: Context<Env>) => Response): Hono<Env> {
  const app = new Hono<Env>();
  app.get('/', (c) => {
    c.set('headers', {});
    c.set('memory', memory);
    return answer(c);
  });
  return app;
}

/** Sends requests for `/` on one connection, without reading the responses. */
function requesting(port: number, more = '', times = 1): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${more}\r\n`.repeat(times));
  return socket;
}

/** Starts a server with one stream, in which every line is `bytes` bytes long. */
async function streaming(bytes: number, limits: { maxStreams?: number; stalledMs?: number }) {
  const all = { ...defaultLimits, ...limits };
  let ended = 0;
  const admit = limitStreams(all);
  const watch = cutStalledReaders(all.stalledMs);
  const app = answering((c) => {
    watch(c);
    admit(c);
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

async function* oneLine() {
  yield { line: 'first' };
}

describe('a stream', () => {
  it('counts towards the limit until its connection has finished the response', async () => {
    const { url } = await streaming(10, { maxStreams: 1 });
    const leave = new AbortController();
    const first = await fetch(url, { signal: leave.signal });
    await first.body!.getReader().read();
    const second = await fetch(url);
    expect([second.status, await second.text()]).toEqual([503, expect.stringContaining('1 streams')]);
    leave.abort();
    const third = async (): Promise<number> => {
      const response = await fetch(url);
      await response.body!.cancel();
      return response.status;
    };
    await expect.poll(third, { timeout: 10_000 }).toBe(200);
  });

  it('is compressed for clients that accept gzip, and each line arrives before the next line is produced', async () => {
    const { promise: next, resolve: proceed } = Promise.withResolvers<void>();
    async function* lines() {
      yield { line: 'first', text: 'x'.repeat(100_000) };
      await next;
      yield { line: 'second' };
    }
    const app = answering((c) => {
      c.set('headers', { Vary: 'Origin' });
      return ndjson(c, lines, { compress: true });
    });
    const { url } = await served(() => app);
    const response = await fetch(url, { headers: { 'accept-encoding': 'br;q=0.1, gzip' } });
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(response.headers.get('vary')).toContain('Accept-Encoding');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.endsWith('\n')) text += (await reader.read()).value ?? '';
    expect(JSON.parse(text)).toMatchObject({ line: 'first' });
    proceed();
    expect((await reader.read()).value).toBe('{"line":"second"}\n');
    expect(await reader.read()).toMatchObject({ done: true });
    await expect.poll(() => memory.inUse).toBe(0);
  });

  it('is sent uncompressed while other streams hold the compressors’ memory', async () => {
    // The memory suffices for only one compressor.
    const little = new MemoryBudget(2 ** 20);
    const app = answering((c) => {
      c.set('memory', little);
      return ndjson(
        c,
        async function* lines() {
          yield { line: 'first' };
          await sleep(60_000, undefined, { signal: c.req.raw.signal });
        },
        { compress: true },
      );
    });
    const { url } = await served(() => app);
    const encodingOf = async (signal?: AbortSignal): Promise<string | null> =>
      (await fetch(url, { headers: { 'accept-encoding': 'gzip' }, signal: signal ?? null })).headers.get(
        'content-encoding',
      );
    const gone = new AbortController();
    expect(await encodingOf(gone.signal)).toBe('gzip');
    expect(await encodingOf(gone.signal)).toBeNull();
    gone.abort();
    await expect.poll(() => little.inUse).toBe(0);
    const end = new AbortController();
    expect(await encodingOf(end.signal)).toBe('gzip');
    end.abort();
  });

  it('is not compressed for other clients, or if it may contain plaintext', async () => {
    for (const [compress, accepted] of [
      [true, 'identity'],
      [true, 'gzip;q=0'],
      [false, 'gzip'],
    ] as const) {
      const app = answering((c) => ndjson(c, oneLine, { compress }));
      const { url } = await served(() => app);
      const response = await fetch(url, { headers: { 'accept-encoding': accepted } });
      expect(response.headers.get('content-encoding'), accepted).toBeNull();
      expect(await response.text()).toBe('{"line":"first"}\n');
    }
  });

  it('does not start for HEAD', async () => {
    let opened = 0;
    let begun = 0;
    const app = answering((c) => {
      c.set('meter', {
        request: () => undefined,
        streamOpened: () => {
          opened += 1;
          return () => (opened -= 1);
        },
        rateLimited: () => undefined,
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

  it.each([
    ['asks once', 1],
    ['sends another request', 2],
  ])(
    'is cut off if the client reads nothing and %s, and the server stops working on the stream',
    async (_, times) => {
      const { port, ended } = await streaming(256 * 1024, { stalledMs: 300 });
      const socket = requesting(port, '', times);
      await once(socket, 'readable');
      // From here on, the client reads nothing.
      await expect.poll(ended, { timeout: 10_000 }).toBe(times);
      socket.destroy();
    },
  );

  it('continues while the client reads, and while there is no new data', async () => {
    const { url, ended } = await streaming(10, { stalledMs: 2_000 });
    const response = await fetch(url);
    const reader = response.body!.getReader();
    const started = performance.now();
    while (performance.now() - started < 4_000) expect((await reader.read()).done).toBe(false);
    expect(ended()).toBe(0);
    await reader.cancel();
  });
});

const MiB = 2 ** 20;

describe('one large response', () => {
  const SIZE = 36 * MiB;
  const large: [string, (c: Context<Env>) => Response][] = [
    ['as a whole', (c) => reply(c, Buffer.alloc(SIZE, 'x'), 'text/plain')],
    [
      'in one line of a stream',
      (c) =>
        ndjson(c, async function* line() {
          yield 'x'.repeat(SIZE);
        }),
    ],
  ];

  it.each(large)('sent %s is not cut off while the client reads slowly', async (_, answer) => {
    // The client takes about twice this time to read the response.
    const watch = cutStalledReaders(3_000);
    const app = answering((c) => {
      watch(c);
      return answer(c);
    });
    const { port } = await served(() => app);
    let bytes = 0;
    for await (const piece of requesting(port, 'Connection: close\r\n')) {
      bytes += piece.length;
      await sleep(10);
    }
    expect(bytes).toBeGreaterThan(SIZE);
  });
});

const waiting = (_: unknown, signal: AbortSignal): Promise<any> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

/** Requests an export without reading the response. */
function exporting(port: number, form: 'encoded' | 'readable'): Socket {
  const body = JSON.stringify({ form });
  return startPost(port, `${RUN}/history:export`, [`Content-Length: ${body.length}`], body);
}

const kms = forFile(await startKms());

describe('a stream of the history API', () => {
  const LENGTH = 4_000;
  const described: any = { workflowExecutionInfo: { historyLength: LENGTH } };
  /** Returns the pages of a history. Every page is available immediately, and each event has 16 KiB. */
  const history = async ({ nextPageToken }: any): Promise<any> => {
    const first = nextPageToken?.length ? Number(Buffer.from(nextPageToken).toString()) : 1;
    const events = Array.from({ length: 200 }, (_, n) => ({
      eventId: first + n,
      eventType: 26,
      taskId: 1,
      workflowExecutionSignaledEventAttributes: { signalName: 'x'.repeat(16 * 1024) },
    }));
    return pageOf(events, Buffer.from(first + 200 > LENGTH ? '' : String(first + 200)));
  };
  const temporal = temporalWith([], { describe: async () => described, history });

  it('is rejected with 503 if the maximum number of streams is open', async () => {
    const { url } = await serveApp(kms, {
      temporal: { ...temporal, history: waiting },
      limits: { maxStreams: 1 },
    });
    const leave = new AbortController();
    const first = await fetch(`${url}${RUN}/history?live=true&after=${LENGTH}`, { signal: leave.signal });
    expect(first.status).toBe(200);
    for (const [what, request] of [
      ['history'],
      ['payloads:decode', posted('{}')],
      ['history:search', posted('{}')],
      ['history:export', posted('{}')],
    ] as const) {
      const response = await fetch(`${url}${RUN}/${what}`, request);
      expect(response.status, what).toBe(503);
      expect(await response.json(), what).toMatchObject({ error: { code: 'busy' } });
    }
    leave.abort();
  });

  it('gets 401 without a valid token, even if the maximum number of streams is open', async () => {
    const { url } = await serveApp(kms, { access: noAccess, limits: { maxStreams: 0 } });
    expect((await fetch(`${url}${RUN}/history`)).status).toBe(401);
  });

  it('is cut off when the client does not read', async () => {
    const { audit, entries: written } = recordedAudit();
    const { port } = await serveApp(kms, { temporal, audit, limits: { stalledMs: 300 } });
    const socket = exporting(port, 'encoded');
    socket.on('error', () => undefined);
    await once(socket, 'readable');
    // From here on, the client reads nothing.
    await expect.poll(() => written.at(-1)).toMatchObject({ outcome: { result: 'cut_off' } });
    socket.destroy();
  });

  it('is reset if the server shuts down during a payload of 12 MB that the client reads too slowly', async () => {
    const stopping = new AbortController();
    const large = { data: Buffer.alloc(12_000_000) };
    const { url, closed } = await serveWatched(kms, {
      temporal: temporalWith([signaled(1, large), signaled(2, large)]),
      stopping: stopping.signal,
    });
    const response = await fetch(`${url}${RUN}/history:export`, posted('{"form":"encoded"}'));
    const reader = response.body!.getReader();
    await reader.read();
    stopping.abort();
    await closed;
    const rest = async (): Promise<void> => {
      while (!(await reader.read()).done);
    };
    await expect(rest()).rejects.toThrow('terminated');
  });

  it("is cut off after the caller's token expires, even if the operating system has buffered data", async () => {
    const { audit, entries: written } = recordedAudit();
    const { port, closed } = await serveWatched(kms, { temporal, audit, access: signedInFor(2_000) });
    const socket = exporting(port, 'readable');
    const broken = once(socket, 'error');
    const reading = setInterval(() => socket.read(4 * 1024), 250);
    socket.on('readable', () => undefined);
    await closed;
    clearInterval(reading);
    socket.removeAllListeners('readable').resume();
    expect(await broken).toMatchObject([{ code: 'ECONNRESET' }]);
    await expect.poll(() => written.at(-1)).toMatchObject({ outcome: { result: 'signed_out' } });
  });
});
