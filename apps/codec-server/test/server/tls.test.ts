import { once } from 'node:events';
import { copyFile, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Env } from '../../src/http/context.ts';
import { listen, type RunningServer } from '../../src/server/listen.ts';
import { readTlsPair, watchTlsPair } from '../../src/server/tls.ts';
import { makeCertificate } from '@temporal-kms/testing/certificates';
import { folderForFile } from '../support/for-file.ts';

const directory = await folderForFile();
const first = makeCertificate(directory, 'first');
const second = makeCertificate(directory, 'second');

const HOST = '127.0.0.1';
/** Starts a server that is closed when the test ends. */
async function serve(app = new Hono<Env>().get('/', (c) => c.text('ok'))): Promise<RunningServer> {
  const server = await listen({ host: HOST, port: 0, tls: await readTlsPair(first), app: () => app });
  onTestFinished(() => server.close(0));
  return server;
}

async function connected(port: number, maxVersion?: 'TLSv1.1'): Promise<TLSSocket> {
  // The certificates are self-signed. These tests check only which certificate the server uses.
  const socket = connect({
    port,
    host: HOST,
    rejectUnauthorized: false,
    ...(maxVersion && { minVersion: 'TLSv1', maxVersion, ciphers: 'ALL@SECLEVEL=0' }),
  });
  await once(socket, 'secureConnect');
  return socket;
}

const nameOn = (socket: TLSSocket) => socket.getPeerCertificate().subject.CN;

async function ask(socket: TLSSocket): Promise<string> {
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const [answer] = await once(socket, 'data');
  return String(answer);
}

it('uses TLS 1.3 by default, and refuses TLS 1.1 and plaintext', async () => {
  const server = await serve();
  const socket = await connected(server.port);
  expect(await ask(socket)).toMatch(/^HTTP\/1.1 200 /);
  expect(socket.getProtocol()).toBe('TLSv1.3');
  await expect(connected(server.port, 'TLSv1.1')).rejects.toMatchObject({
    code: expect.stringContaining('VERSION'),
  });
  await expect(fetch(`http://${HOST}:${server.port}/`)).rejects.toThrow();
  socket.destroy();
});

it('uses a new certificate for new connections, and does not close existing connections', async () => {
  const server = await serve();
  const old = await connected(server.port);
  server.useCertificate(await readTlsPair(second));
  const fresh = await connected(server.port);
  expect([nameOn(old), nameOn(fresh)]).toEqual(['first', 'second']);
  expect(await ask(old)).toMatch(/^HTTP\/1.1 200 /);
  old.destroy();
  fresh.destroy();
});

/**
 * Grace period for closing the server. The period is so long that a server that waits for idle connections
 * fails the test.
 */
const HOUR = 3_600_000;
/**
 * Time limit of the test in milliseconds. The limit is below the ten seconds after which the server itself
 * ends an incomplete handshake.
 */
const LIMIT = 9_000;

it.each([
  ['without any request', async (port: number) => connected(port)],
  [
    'without a handshake',
    async (port: number) => {
      const socket = connectTcp(port, HOST);
      await once(socket, 'connect');
      socket.write('\x16');
      return socket;
    },
  ],
  [
    'that is kept alive',
    async (port: number) => {
      const socket = await connected(port);
      await ask(socket);
      return socket;
    },
  ],
])(
  'shuts down without waiting for a connection %s',
  async (_, open) => {
    const server = await serve();
    const socket = await open(server.port);
    socket.on('error', () => undefined).resume();
    await sleep(50);
    await server.close(HOUR);
    socket.destroy();
  },
  LIMIT,
);

describe('certificate files', () => {
  it('cause an error that names the file if a file is missing, if the files do not match, or if the certificate has expired', async () => {
    await expect(readTlsPair({ ...first, keyFile: join(directory, 'none') })).rejects.toThrow(
      /none cannot be read/,
    );
    await expect(readTlsPair({ ...first, keyFile: second.keyFile })).rejects.toThrow(
      /first\.crt and .*second\.key/,
    );
    await expect(readTlsPair(first, Date.now() + 3 * 86_400_000)).rejects.toThrow(/first\.crt expired on/);
    await writeFile(join(directory, 'text'), 'no certificate');
    await expect(readTlsPair({ ...first, certFile: join(directory, 'text') })).rejects.toThrow(
      /not a certificate/,
    );
  });

  it('are reloaded once both files have changed, but not while the pair is invalid', async () => {
    const files = { certFile: join(directory, 'live.crt'), keyFile: join(directory, 'live.key') };
    await copyFile(first.certFile, files.certFile);
    await copyFile(first.keyFile, files.keyFile);
    const changed: Buffer[] = [];
    const refused: string[] = [];
    const watch = watchTlsPair(await readTlsPair(files), {
      ...files,
      changed: ({ cert }) => void changed.push(cert),
      failed: ({ message }) => void refused.push(message),
      everyMs: 60_000,
    });
    await watch.check();
    expect([changed.length, refused.length]).toEqual([0, 0]);
    await copyFile(second.certFile, files.certFile);
    await watch.check();
    await watch.check();
    expect([changed.length, refused.length]).toEqual([0, 1]);
    await copyFile(second.keyFile, files.keyFile);
    await watch.check();
    expect(changed).toEqual([(await readTlsPair(second)).cert]);
    watch.stop();
  });
});

it('lets the server reset a response’s connection, which discards unsent data', async () => {
  const asked = Promise.withResolvers<() => void>();
  const app = new Hono<Env>().get('/', (c) => {
    const { incoming, outgoing, resetter } = c.env;
    const answer: any = outgoing;
    asked.resolve(resetter!(incoming!.socket, answer));
    return new Response('x'.repeat(32 * 2 ** 20));
  });
  const server = await serve(app);
  const socket = await connected(server.port);
  const broken = once(socket, 'error');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const reset = await asked.promise;
  // Waits until the operating system takes no more data.
  await sleep(100);
  reset();
  socket.resume();
  expect(await broken).toMatchObject([{ code: 'ECONNRESET' }]);
});

it.each([
  ['says nothing', ''],
  ['stops in the middle', '\x16\x03\x01\x00\xff'],
])('abandons, after ten seconds, a handshake that %s', async (_, sent) => {
  const server = await serve();
  const socket = connectTcp(server.port, HOST);
  const begun = performance.now();
  if (sent !== '') socket.write(sent, 'latin1');
  socket.on('error', () => undefined).resume();
  await new Promise((resolve) => socket.once('close', resolve));
  expect(performance.now() - begun).toBeLessThan(30_000);
});
