import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAccess } from '../../src/access/access.ts';
import type { AppDeps } from '../../src/app.ts';
import { buildPayloads } from '../../src/json/payload-json.ts';
import { Refusal } from '../../src/refusal.ts';
import { posted, serveApp, waitingCodec } from '../support/served.ts';
import { type Kms, noAccess, type Payload, plain, startKms } from '../support/stack.ts';
import { RUN } from '../support/routes.ts';

let kms: Kms;
beforeAll(async () => {
  kms = await startKms();
});
afterAll(() => kms.close());

const json = (payloads: Payload[]): string => String(buildPayloads(payloads));
describe('large bodies at the same time', () => {
  const large = json([plain('x'.repeat(100_000))]);
  test('are refused with 503 and Retry-After beyond their bytes, small ones never, and taken again after it', async () => {
    const { codec, given, go } = waitingCodec(kms);
    const { url } = await serveApp(kms, { codec, limits: { maxBodies: 2.5 * large.length } });
    const two = [1, 2].map(async () => fetch(`${url}/decode`, posted(large)));
    await expect.poll(given).toBe(2);
    const third = await fetch(`${url}/decode`, posted(large));
    expect([third.status, third.headers.get('retry-after'), await third.text()]).toEqual([
      503,
      '1',
      expect.stringContaining(`${2 * large.length} bytes of requests`),
    ]);
    const small = fetch(`${url}/decode`, posted(json([plain(1)])));
    await expect.poll(given).toBe(3);
    go();
    for (const response of await Promise.all([...two, small])) {
      expect(response.status).toBe(200);
      await response.text();
    }
    await expect.poll(async () => (await fetch(`${url}/decode`, posted(large))).status).toBe(200);
  });

  test('do not count once their client has gone, and one alone is taken whatever its size', async () => {
    const { codec, given, go } = waitingCodec(kms);
    const { url } = await serveApp(kms, { codec, limits: { maxBodies: 1 } });
    const leave = new AbortController();
    const gone = fetch(`${url}/decode`, posted(large, leave.signal)).catch(() => undefined);
    await expect.poll(given).toBe(1);
    expect((await fetch(`${url}/decode`, posted(large))).status).toBe(503);
    leave.abort();
    await gone;
    go();
    await expect.poll(async () => (await fetch(`${url}/decode`, posted(large))).status).toBe(200);
  });

  test('of unknown length count as the longest there may be', async () => {
    const { codec, given, go } = waitingCodec(kms);
    const { url, port } = await serveApp(kms, { codec, limits: { maxBody: 200_000, maxBodies: 250_000 } });
    const first = fetch(`${url}/decode`, posted(large));
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
    const { url } = await serveApp(kms, { access, limits: { maxBodies: 1 } });
    const strangers = Array.from({ length: 4 }, async () => fetch(`${url}/decode`, posted(large)));
    const known = await fetch(`${url}/decode`, {
      ...posted(large),
      headers: { ...posted(large).headers, authorization: 'x' },
    });
    expect(known.status).toBe(200);
    for (const response of await Promise.all(strangers)) expect(response.status).toBe(401);
  });
});

describe('a body of unknown length', () => {
  test('of somebody who has not signed in is not waited for', async () => {
    const { port } = await serveApp(kms, { access: noAccess });
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `POST /decode HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n` +
        'X-Namespace: payments\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n',
    );
    const [head] = await once(socket, 'data', { signal: AbortSignal.timeout(2_000) });
    expect(String(head)).toMatch(/^HTTP\/1.1 401 /);
    socket.destroy();
  });

  test.each(['/decode', `${RUN}/history:search`])('is 413 on %s once it is too large', async (path) => {
    const { url } = await serveApp(kms, { limits: { maxBody: 100 } });
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(Buffer.alloc(60, ' ')),
    });
    const response = await fetch(url + path, { ...posted(''), body, duplex: 'half' });
    expect([response.status, await response.text()]).toEqual([413, expect.stringContaining('100 bytes')]);
  });
});
