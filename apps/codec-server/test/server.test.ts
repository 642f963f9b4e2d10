import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listen } from '../src/server.ts';
import { appWith, type Kms, startKms } from './support/stack.ts';

let kms: Kms;
beforeAll(async () => {
  kms = await startKms();
});
afterAll(() => kms.close());

const HOST = '127.0.0.1';
const start = (app: Hono<any>) => listen({ host: HOST, port: 0, app: () => app });

describe('ending', () => {
  test('waits for a request under way, and closes connections that are kept alive', async () => {
    const gate = Promise.withResolvers<void>();
    const app = new Hono().get('/', async (c) => {
      await gate.promise;
      return c.text('done');
    });
    const server = await start(app);
    const idle = connect(server.port, HOST);
    await once(idle, 'connect');
    const answer = fetch(`http://${HOST}:${server.port}/`);
    await sleep(100);
    const closed = server.close(10_000);
    setTimeout(() => gate.resolve(), 100);
    expect(await (await answer).text()).toBe('done');
    await closed;
    await expect(fetch(`http://${HOST}:${server.port}/`)).rejects.toThrow();
    idle.destroy();
  });

  test('cuts what does not end in time', async () => {
    const app = new Hono().get('/', () => new Promise<Response>(() => {}));
    const server = await start(app);
    const answer = fetch(`http://${HOST}:${server.port}/`).catch((error: unknown) => error);
    await sleep(100);
    await server.close(100);
    expect(await answer).toBeInstanceOf(Error);
  });
});

test('says which port is taken', async () => {
  const server = await start(new Hono());
  await expect(listen({ host: HOST, port: server.port, app: () => new Hono() })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
  await server.close(0);
});

test('serves the loopback names with the port that was bound, and no other Host', async () => {
  const server = await listen({
    host: HOST,
    port: 0,
    app: (port) => appWith(kms, { hosts: [`${HOST}:${port}`] }),
  });
  const url = `http://${HOST}:${server.port}/api/namespaces`;
  expect((await fetch(url)).status).toBe(200);
  const socket = connect(server.port, HOST);
  socket.write('GET /api/namespaces HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
  const [head] = await once(socket, 'data');
  expect(String(head)).toMatch(/^HTTP\/1.1 403 /);
  await server.close(0);
});
