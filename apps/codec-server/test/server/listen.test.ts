import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Env } from '../../src/http/context.ts';
import { ndjson } from '../../src/http/responses.ts';
import { listen, type RunningServer } from '../../src/server/listen.ts';
import { forFile } from '../support/for-file.ts';
import { serveApp } from '../support/served.ts';
import { appWith, startKms } from '../support/stack.ts';

const kms = forFile(await startKms());

const HOST = '127.0.0.1';
/** Starts a server that is closed when the test ends. */
async function start(app: Hono<any>): Promise<RunningServer> {
  const server = await listen({ host: HOST, port: 0, app: () => app });
  onTestFinished(() => server.close(0));
  return server;
}

/**
 * Grace period for closing the server. The period is so long that a server that waits for idle connections
 * fails the test.
 */
const HOUR = 3_600_000;
/**
 * Time limit of the test in milliseconds. The limit is below the ten seconds after which Node itself ends a
 * connection without a request.
 */
const LIMIT = 9_000;

describe('graceful shutdown', () => {
  it('waits for a request in flight, and sends `Connection: close` to its client', async () => {
    const arrived = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const app = new Hono().get('/', async (c) => {
      arrived.resolve();
      await gate.promise;
      return c.text('done');
    });
    const server = await start(app);
    const answer = fetch(`http://${HOST}:${server.port}/`);
    await arrived.promise;
    const closed = server.close(10_000);
    setTimeout(() => gate.resolve(), 100);
    const response = await answer;
    expect([await response.text(), response.headers.get('connection')]).toEqual(['done', 'close']);
    await closed;
    await expect(fetch(`http://${HOST}:${server.port}/`)).rejects.toThrow();
  });

  it.each([
    ['without any request', ''],
    ['that is kept alive', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])(
    'immediately closes a connection %s',
    async (_, request) => {
      const server = await start(new Hono().get('/', (c) => c.text('done')));
      const idle = connect(server.port, HOST);
      await once(idle, 'connect');
      if (request !== '') {
        idle.write(request);
        await once(idle, 'data');
      } else await sleep(50);
      idle.resume();
      const ended = once(idle, 'close');
      await server.close(HOUR);
      await ended;
    },
    LIMIT,
  );

  it('lets a stream in progress write its last line, and then closes the connection', async () => {
    const stopping = new AbortController();
    const waiting = Promise.withResolvers<void>();
    const app = new Hono<Env>().get('/', (c) =>
      ndjson(c, async function* lines() {
        yield 'first';
        const stopped = once(stopping.signal, 'abort');
        waiting.resolve();
        await stopped;
        yield 'last';
      }),
    );
    const server = await start(app);
    const response = await fetch(`http://${HOST}:${server.port}/`);
    const text = response.text();
    await waiting.promise;
    stopping.abort();
    await server.close(HOUR);
    expect(await text).toBe('"first"\n"last"\n');
  });

  it('closes connections that do not complete in time', async () => {
    const arrived = Promise.withResolvers<void>();
    const app = new Hono().get('/', () => {
      arrived.resolve();
      return new Promise<Response>(() => {});
    });
    const server = await start(app);
    const answer = fetch(`http://${HOST}:${server.port}/`).catch((error: unknown) => error);
    await arrived.promise;
    await server.close(100);
    expect(await answer).toBeInstanceOf(Error);
  });
});

it('stops the work of a stream when its client disconnects', async () => {
  const ended = Promise.withResolvers<boolean>();
  let made = 0;
  const app = new Hono<Env>().get('/', (c) =>
    ndjson(c, async function* lines(gone) {
      try {
        for (;;) {
          yield (made += 1);
          await sleep(5);
        }
      } finally {
        ended.resolve(gone.aborted);
      }
    }),
  );
  const server = await start(app);
  const socket = connect(server.port, HOST);
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
  expect(await ended.promise).toBe(true);
  const then = made;
  await sleep(100);
  expect(made).toBe(then);
});

it('throws an error with the code EADDRINUSE if the port is in use', async () => {
  const server = await start(new Hono());
  await expect(listen({ host: HOST, port: server.port, app: () => new Hono() })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
});

it('accepts as Host only a loopback name with the bound port', async () => {
  const { port, url: origin } = await serveApp(kms, {});
  const url = `${origin}/api/namespaces`;
  expect((await fetch(url)).status).toBe(200);
  const socket = connect(port, HOST);
  socket.write('GET /api/namespaces HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
  const [head] = await once(socket, 'data');
  expect(String(head)).toMatch(/^HTTP\/1.1 403 /);
});

describe('pipelined requests on one connection', () => {
  const ahead = async (count: number) => {
    let handled = 0;
    const app = new Hono().get('/', (c) => {
      handled += 1;
      return c.text('x'.repeat(1_000));
    });
    const server = await start(app);
    const socket = connect(server.port, HOST);
    let closed = false;
    socket.on('error', () => undefined).on('close', () => (closed = true));
    await once(socket, 'connect');
    return {
      handled: () => handled,
      socket,
      closed: () => closed,
      ask: () => socket.write(REQUEST.repeat(count)),
    };
  };
  const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

  it('get responses in order if there are at most four requests', async () => {
    const { ask, socket, handled } = await ahead(4);
    let text = '';
    socket.on('data', (piece: Buffer) => (text += piece.toString()));
    ask();
    await expect.poll(() => text.split('HTTP/1.1 200 ').length - 1, { timeout: 10_000 }).toBe(4);
    expect(handled()).toBe(4);
  });

  it('are not handled from the fifth on, and close the connection', async () => {
    const { ask, handled, closed } = await ahead(5_000);
    ask();
    await expect.poll(closed, { timeout: 10_000 }).toBe(true);
    expect(handled()).toBeLessThanOrEqual(4);
  });
});

it('rejects a request with more than 100 headers, although Node does not pass on all of them', async () => {
  const server = await start(appWith(kms, { hosts: ['a'] }));
  const statusOf = async (headers: number): Promise<string> => {
    const socket = connect(server.port, HOST);
    const lines = Array.from({ length: headers - 1 }, (_, n) => `x-${n}: y\r\n`).join('');
    socket.write(`GET /decode HTTP/1.1\r\nhost: a\r\n${lines}\r\n`);
    const [answer] = await once(socket, 'data');
    socket.destroy();
    return String(answer).slice(9, 12);
  };
  const statuses = [];
  for (const headers of [99, 100, 101, 129, 500, 3_000]) statuses.push(await statusOf(headers));
  expect(statuses).toEqual(['405', '405', '431', '431', '431', '431']);
});

it("waits about ten seconds for an incomplete head, rather than Node's thirty", async () => {
  const server = await start(new Hono());
  const socket = connect(server.port, HOST);
  socket.write('GET / HTTP/1.1\r\nHost');
  const begun = performance.now();
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1.1 408 .*did not arrive in time.*\n$/s);
  // Without a time limit for the head, only the limit of 25 seconds for the whole request would apply.
  expect(performance.now() - begun).toBeLessThan(20_000);
  socket.destroy();
});

/** Starts a server with two routes. The test can reset the connection of the response from `/first`. */
const resetting = async () => {
  let reset: (() => void) | undefined;
  const app = new Hono<Env>()
    .get('/first', (c) => {
      const { incoming, outgoing, resetter } = c.env;
      const answer: any = outgoing;
      reset = resetter!(incoming!.socket, answer);
      return c.text('first');
    })
    .get('/second', (c) => c.text('second'));
  const server = await start(app);
  const socket = connect(server.port, HOST);
  let text = '';
  let closed = false;
  socket.on('data', (piece: Buffer) => (text += piece.toString()));
  socket.on('error', () => undefined).on('close', () => (closed = true));
  const ask = async (...paths: string[]) => {
    socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    await expect.poll(() => text).toMatch(new RegExp(`${paths.at(-1)!.slice(1)}$`));
  };
  return { ask, reset: () => reset?.(), closed: () => closed };
};

describe('the function that resetter returns', () => {
  it('resets the connection if no other request has arrived on it', async () => {
    const { ask, reset, closed } = await resetting();
    await ask('/second');
    await ask('/first');
    reset();
    await expect.poll(closed, { timeout: 10_000 }).toBe(true);
  });

  it.each([
    ['since then', [['/first'], ['/second']]],
    ['immediately afterwards', [['/first', '/second']]],
    ['later, and once more', [['/first'], ['/second'], ['/second']]],
  ])('leaves the connection open if another request has arrived on it %s', async (_, asked) => {
    const { ask, reset, closed } = await resetting();
    for (const paths of asked) await ask(...paths);
    reset();
    await sleep(100);
    expect(closed()).toBe(false);
  });
});

/** Resolves when the connection is closed, even if the server resets it. */
const closeOf = (socket: Socket): Promise<unknown> =>
  new Promise((resolve) => socket.on('error', () => undefined).once('close', resolve));

describe('an unreadable request', () => {
  it.each([
    ['a head that is too large', `GET /?${'x'.repeat(70_000)} HTTP/1.1\r\n\r\n`, 431, '65536 bytes'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', 400, 'not an HTTP/1.1 request'],
  ])('gets a text response with all security headers: %s', async (_, sent, status, text) => {
    const server = await start(new Hono());
    const socket = connect(server.port, HOST);
    let answer = '';
    socket.on('data', (piece: Buffer) => (answer += piece.toString()));
    const closed = closeOf(socket);
    socket.write(sent);
    await closed;
    const [head = '', body] = answer.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(body).toContain(text);
    for (const name of ['Cache-Control: no-store', 'X-Content-Type-Options: nosniff', 'Connection: close'])
      expect(head).toContain(name);
  });

  it('closes the connection if another response is in progress', async () => {
    const app = new Hono<Env>().get('/', (c) =>
      ndjson(c, async function* lines(gone) {
        while (!gone.aborted) {
          yield 'line';
          await sleep(5);
        }
      }),
    );
    const server = await start(app);
    const socket = connect(server.port, HOST);
    let answer = '';
    socket.on('data', (piece: Buffer) => (answer += piece.toString()));
    const closed = closeOf(socket);
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'data');
    socket.write('what is no request\r\n');
    await closed;
    expect(answer.match(/HTTP\/1.1/g)).toHaveLength(1);
  });

  it('gets 408 if its body does not arrive in time', async () => {
    const app = new Hono().post('/', async (c) => c.text(await c.req.text().catch(() => '')));
    const server = await start(app);
    const socket = connect(server.port, HOST);
    const closed = closeOf(socket);
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 408 .*did not arrive in time/s);
    await closed;
  });
});
