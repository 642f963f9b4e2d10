import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { readBody as bodyOfRequest } from '../../src/http/bodies.ts';
import { MemoryBudget } from '../../src/memory.ts';
import { listen } from '../../src/server/listen.ts';
import { forFile } from '../support/for-file.ts';
import { collectGarbage } from '../support/memory.ts';
import { startPost } from '../support/served.ts';
import { keptLog } from '../support/kept-log.ts';
import { serve, startKms } from '../support/stack.ts';

const kms = forFile(await startKms());
const server = forFile(await serve(kms, {}));

async function post(route: string, body: string | ReadableStream<Uint8Array>): Promise<string> {
  const headers = { 'content-type': 'application/json', 'x-namespace': 'payments' };
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', headers, body, duplex: 'half' };
  const response = await fetch(`http://127.0.0.1:${server.port}/${route}`, init);
  expect(response.status).toBe(200);
  return response.text();
}

const bodyOf = (bytes: number): string =>
  JSON.stringify({
    payloads: [
      { metadata: { encoding: 'YmluYXJ5L3BsYWlu' }, data: Buffer.alloc(bytes, 'abc').toString('base64') },
    ],
  });

// The server reads a body differently if it has 64 KiB or more, or if the request does not contain its
// length.
it.each([0, 1, 10_000, 49_000, 50_000, 300_000, 1_000_000])(
  'encodes and decodes a payload of %d bytes',
  async (bytes) => {
    const plain = bodyOf(bytes);
    const expected = bytes === 0 ? plain.replace(',"data":""', '') : plain;
    expect(await post('decode', await post('encode', plain))).toBe(expected);
  },
);

it('reads a body without a Content-Length', async () => {
  const plain = bodyOf(300_000);
  const pieces = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (let at = 0; at < plain.length; at += 50_000)
        controller.enqueue(Buffer.from(plain.slice(at, at + 50_000)));
      controller.close();
    },
  });
  expect(await post('decode', await post('encode', pieces))).toBe(plain);
});

it('does not log an error if a client disconnects in the middle of a body', async () => {
  const { log, lines } = keptLog();
  const own = await serve(kms, { log });
  const socket = startPost(own.port, '/decode', ['Content-Length: 100'], '{"payloads"');
  await once(socket, 'connect');
  await delay(50);
  socket.destroy();
  await expect.poll(() => lines.filter((line) => line.includes('"status":504'))).toHaveLength(1);
  expect(lines.filter((line) => line.includes('unexpectedly'))).toEqual([]);
  await own.close(0);
});

it('does not keep a body in memory while the connection is idle', async () => {
  let read: Buffer | undefined;
  const requests: WeakRef<Buffer>[] = [];
  const listeners: number[] = [];
  const own = await listen({
    host: '127.0.0.1',
    port: 0,
    app: () => ({
      fetch: async (_, env) => {
        const context: any = { env, get: () => 1_000_000 };
        read = await bodyOfRequest(context, new MemoryBudget(10_000_000).lease());
        requests.push(new WeakRef(read));
        listeners.push(env.incoming!.listenerCount('data'));
        return new Response(String(read.length));
      },
    }),
  });
  const agent = new Agent({ keepAlive: true });
  const answered = await new Promise<string>((resolve, reject) => {
    const asked = request({ port: own.port, host: '127.0.0.1', method: 'POST', agent }, (response) => {
      response.on('data', (text) => resolve(String(text)));
    });
    asked.on('error', reject);
    asked.end(Buffer.alloc(1_000_000, 'a'));
  });
  expect({ answered, listeners }).toEqual({ answered: '1000000', listeners: [0] });
  read = undefined;
  await expect.poll(() => (collectGarbage(), requests.map((one) => one.deref()))).toEqual([undefined]);
  agent.destroy();
  await own.close(0);
});
