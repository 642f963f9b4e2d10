import { once } from 'node:events';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openAccess } from '../../src/access/access.ts';
import type { AppDeps } from '../../src/app.ts';
import { MemoryBudget } from '../../src/memory.ts';
import { HttpError } from '../../src/errors.ts';
import { forFile } from '../support/for-file.ts';
import { posted, serveApp, startPost, waitingCodec } from '../support/served.ts';
import { bodyOf, noAccess, plain, startKms } from '../support/stack.ts';
import { RUN } from '../support/routes.ts';

const kms = forFile(await startKms());

describe('a request body', () => {
  const large = bodyOf([plain('x'.repeat(100_000))]);
  const limits = { maxBody: 1_000_000 };
  /** Returns memory that suffices for two large requests at a time. */
  const roomForTwo = (): MemoryBudget => new MemoryBudget(6 * large.length, 3 * large.length);
  const roomForOne = (): MemoryBudget => new MemoryBudget(3.5 * large.length, 3 * large.length);

  it('gets 503 with Retry-After if it is large and other bodies hold the memory, but always succeeds if it is small', async () => {
    const { codec, given, go } = waitingCodec(kms);
    const memory = roomForTwo();
    const { url } = await serveApp(kms, { codec, memory, limits });
    const two = [1, 2].map(async () => fetch(`${url}/decode`, posted(large)));
    await expect.poll(given).toBe(2);
    const third = await fetch(`${url}/decode`, posted(large));
    expect([third.status, third.headers.get('retry-after'), await third.text()]).toEqual([
      503,
      '1',
      expect.stringContaining('CODEC_MAX_INFLIGHT_BYTES'),
    ]);
    const small = fetch(`${url}/decode`, posted(bodyOf([plain(1)])));
    await expect.poll(given).toBe(3);
    go();
    for (const response of await Promise.all([...two, small])) {
      expect(response.status).toBe(200);
      await response.text();
    }
    await expect.poll(() => memory.held).toBe(0);
    expect((await fetch(`${url}/decode`, posted(large))).status).toBe(200);
    expect(memory.refusals).toEqual({ busy: 1, too_large: 0 });
  });

  it('releases its memory when the client disconnects, even if the server is still working on the body', async () => {
    const { codec, given, go } = waitingCodec(kms);
    const memory = roomForOne();
    const { url } = await serveApp(kms, { codec, memory, limits });
    const leave = new AbortController();
    const gone = fetch(`${url}/decode`, posted(large, leave.signal)).catch(() => undefined);
    await expect.poll(given).toBe(1);
    expect((await fetch(`${url}/decode`, posted(large))).status).toBe(503);
    leave.abort();
    await gone;
    await expect.poll(() => memory.held).toBe(0);
    go();
    expect((await fetch(`${url}/decode`, posted(large))).status).toBe(200);
    await expect.poll(() => memory.held).toBe(0);
  });

  it('gets 413 if it exceeds its share of the memory', async () => {
    const memory = new MemoryBudget(4 * large.length, 2 * large.length);
    const { url } = await serveApp(kms, { memory, limits });
    const response = await fetch(`${url}/decode`, posted(large));
    expect([response.status, await response.text()]).toEqual([413, expect.stringContaining('memory')]);
    expect(memory.refusals).toEqual({ busy: 0, too_large: 1 });
  });

  it('holds memory only for the part that has arrived, if its length is unknown', async () => {
    const { codec, given, go } = waitingCodec(kms);
    const memory = roomForTwo();
    const { url, port } = await serveApp(kms, { codec, memory, limits });
    const first = fetch(`${url}/decode`, posted(large));
    await expect.poll(given).toBe(1);
    const socket = startPost(port, '/encode', ['Transfer-Encoding: chunked'], '2\r\n{}\r\n0\r\n\r\n');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 200 /);
    socket.destroy();
    go();
    expect((await first).status).toBe(200);
  });

  it('takes additional memory for each chunk if it arrives in one-byte chunks', async () => {
    const memory = new MemoryBudget(400_000, 200_000);
    const { port } = await serveApp(kms, { memory, limits });
    const socket = startPost(port, '/decode', ['Transfer-Encoding: chunked']);
    socket.write('1\r\n \r\n'.repeat(10_000));
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 413 /);
    socket.destroy();
    await expect.poll(() => memory.held).toBe(0);
  });

  it('gets 408 if it arrives too slowly, and releases its memory', async () => {
    const memory = roomForOne();
    const { port } = await serveApp(kms, { memory, limits });
    const socket = startPost(port, '/decode', [`Content-Length: ${large.length}`], '{"payloads":');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 408 /);
    socket.destroy();
    await expect.poll(() => memory.held).toBe(0);
  });

  it('holds no memory before the client is authenticated', async () => {
    const access: AppDeps['access'] = {
      ...openAccess,
      authenticate: async (request) => {
        await sleep(200);
        if (request.header('authorization') === undefined)
          throw new HttpError(401, 'unauthenticated', 'Sign in.');
        return { name: 'ana' };
      },
    };
    const { url } = await serveApp(kms, { access, memory: roomForOne(), limits });
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
  it('is not read before the caller is authenticated', async () => {
    const { port } = await serveApp(kms, { access: noAccess });
    const socket = startPost(port, '/decode', ['Transfer-Encoding: chunked'], '2\r\n{}\r\n');
    const [head] = await once(socket, 'data');
    expect(String(head)).toMatch(/^HTTP\/1.1 401 /);
    socket.destroy();
  });

  it.each(['/decode', `${RUN}/history:search`])('gets 413 on %s once it is too large', async (path) => {
    const { url } = await serveApp(kms, { limits: { maxBody: 100 } });
    const body = new ReadableStream({
      pull: async (controller) => {
        // Lets the server, which runs in this process, respond between chunks.
        await nextTurn();
        controller.enqueue(Buffer.alloc(60, ' '));
      },
    });
    const response = await fetch(url + path, { ...posted(''), body, duplex: 'half' });
    expect([response.status, await response.text()]).toEqual([413, expect.stringContaining('100 bytes')]);
  });
});
