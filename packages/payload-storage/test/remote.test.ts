import { createHash } from 'node:crypto';
import dns from 'node:dns';
import { createServer, type Server } from 'node:net';
import { gzipSync } from 'node:zlib';
import proto from '@temporalio/proto';
import { GoogleAuth } from 'google-auth-library';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ObjectStorage, type StorageReference, type Store } from '../src/index.ts';
import { endless, startStoreServer, type StoreServer, withBytes } from './support/store-server.ts';

const signal = new AbortController().signal;
const payload = { metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.alloc(300_000, 'x') };
const bytes = Buffer.from(proto.temporal.api.common.v1.Payload.encode(payload).finish());
const hashOf = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');

let server: StoreServer;
let storage: ObjectStorage;

beforeEach(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  server = await startStoreServer();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await storage.close();
  await server.close();
});

const failure = (code: string): unknown => expect.objectContaining({ code });

describe.each(['s3', 'gcs'] as const)('an object in a bucket of %s', (type) => {
  const driverName = 'mine';

  function connect(changes: Partial<Store> = {}, readMs?: number) {
    const store: Store = {
      type,
      driverName,
      bucket: 'acme-payloads',
      prefixes: ['v0/ns/orders/'],
      region: 'eu-central-1',
      endpoint: server.url,
      ...changes,
    };
    storage = new ObjectStorage({ namespaces: new Map([['orders', [store]]]) }, readMs ? { readMs } : {});
  }

  beforeEach(() => connect());

  function locate(content: Uint8Array = bytes, id = '42', sizeBytes?: bigint) {
    const sha256 = hashOf(content);
    const reference: StorageReference = {
      driverName,
      type,
      bucket: 'acme-payloads',
      object: `v0/ns/orders/wt/Order/wi/${id}/ri/run/d/sha256/${sha256}`,
      sha256,
      ...(sizeBytes !== undefined && { sizeBytes }),
    };
    return storage.locate('orders', reference);
  }

  const read = (options: { maxBytes?: number } = {}) => storage.read(locate(), { signal, ...options });

  it('is read with one request, whose URL names exactly this object', async () => {
    server.answer = withBytes(bytes);
    const object = locate(bytes, 'a%2Fb c+ü~');
    const { data } = await storage.read(object, { signal });
    expect(data).toEqual(payload.data);
    // The data fills its buffer, so the bytes are in memory only once.
    expect(data?.buffer.byteLength).toBe(bytes.length);
    const [request, ...others] = server.requests;
    expect(others).toEqual([]);
    const [, path = ''] = request!.split(' ');
    const name = type === 's3' ? path.split('?')[0]!.replace('/acme-payloads/', '') : path.split('/o/')[1]!;
    expect(decodeURIComponent(name.split('?')[0]!)).toBe(object.object);
  });

  it('is read in part with a range', async () => {
    let range: string | undefined;
    let headers = {};
    server.answer = (response, request) => {
      range = request.headers.range;
      response.writeHead(206, { 'content-length': 16, ...headers }).end(bytes.subarray(0, 16));
    };
    const start = bytes.subarray(0, 16);
    expect(await storage.readStart(locate(), 16, { signal })).toEqual({
      bytes: start,
      objectSize: undefined,
    });
    headers = { 'content-range': `bytes 0-15/${bytes.length}` };
    expect(await storage.readStart(locate(), 16, { signal })).toEqual({
      bytes: start,
      objectSize: bytes.length,
    });
    expect(range).toBe('bytes=0-15');
  });

  it('is read in part even from a server that ignores ranges and never stops sending bytes', async () => {
    server.answer = endless();
    expect(await storage.readStart(locate(), 16, { signal })).toEqual({
      bytes: Buffer.alloc(16, 'x'),
      objectSize: undefined,
    });
    server.answer = withBytes(bytes);
    expect((await storage.readStart(locate(), 16, { signal })).objectSize).toBe(bytes.length);
  });

  it('yields no bytes and no error for a partial read if it is empty, although the server rejects the range', async () => {
    for (const body of ['', 'InvalidRange']) {
      server.answer = (response) => response.writeHead(416).end(body);
      expect(await storage.readStart(locate(), 16, { signal })).toEqual({
        bytes: Buffer.alloc(0),
        objectSize: 0,
      });
    }
    await expect(read()).rejects.toEqual(failure('storage_unavailable'));
  });

  it.each([
    ['is another payload', Buffer.from(bytes).fill('y', 100)],
    ['is truncated', bytes.subarray(0, 1000)],
    ['has more bytes', Buffer.concat([bytes, Buffer.from('\n')])],
    ['is empty', Buffer.alloc(0)],
  ])('is reported as altered if it %s', async (_, content) => {
    server.answer = withBytes(content);
    await expect(read()).rejects.toEqual(failure('storage_altered'));
  });

  it('is reported as altered if it is replaced between two reads', async () => {
    server.answer = withBytes(bytes);
    await read();
    server.answer = withBytes(Buffer.from('another'));
    await expect(read()).rejects.toEqual(failure('storage_altered'));
  });

  it('is reported as altered if it is replaced during a read', async () => {
    const halves = [bytes.subarray(0, 150_000), Buffer.from(bytes).fill('y', 100).subarray(150_000)];
    server.answer = (response) => {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(halves[0], () => setTimeout(() => response.end(halves[1]), 50));
    };
    await expect(read()).rejects.toEqual(failure('storage_altered'));
  });

  it('is not decompressed, so it is reported as altered if it is compressed', async () => {
    server.answer = withBytes(gzipSync(bytes), { 'content-encoding': 'gzip' });
    await expect(read()).rejects.toEqual(failure('storage_altered'));
  });

  it('is reported as too large before a byte is read if its declared size exceeds the limit', async () => {
    const closed = new Promise((resolve) => {
      server.answer = (response) => {
        response.on('close', resolve);
        response.writeHead(200, { 'content-length': 10 ** 12 }).flushHeaders();
      };
    });
    await expect(read({ maxBytes: 400_000 })).rejects.toEqual(failure('too_large'));
    await closed;
  });

  it('is reported as too large if its size is not declared and its content never ends', async () => {
    server.answer = endless();
    await expect(read({ maxBytes: 400_000 })).rejects.toEqual(failure('too_large'));
  });

  it('is reported as altered if its size is not declared and exceeds the size that its reference states', async () => {
    server.answer = endless();
    const object = locate(bytes, '42', BigInt(bytes.length));
    await expect(storage.read(object, { signal })).rejects.toEqual(failure('storage_altered'));
  });

  it('ends at its declared size, even if the server sends more bytes', async () => {
    server.answer = (response) => {
      response.socket!.write(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\n\r\n`);
      response.socket!.write(Buffer.concat([bytes, Buffer.alloc(1_000_000)]));
    };
    expect((await read()).data).toEqual(payload.data);
  });

  it('is reported as unavailable if the connection ends early', async () => {
    server.answer = (response) => {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 1000), () => response.socket!.destroy());
    };
    const error = expect.objectContaining({
      code: 'storage_unavailable',
      message: expect.stringContaining(`after 1000 of ${bytes.length} bytes`),
    });
    await expect(read()).rejects.toEqual(error);
    await expect(storage.readStart(locate(), 16_000, { signal })).rejects.toEqual(error);
  });

  it.each([
    ['sends no response', () => undefined],
    [
      'sends one byte at a time',
      (response: Parameters<StoreServer['answer']>[0]) => {
        response.writeHead(200, { 'content-length': bytes.length });
        const timer = setInterval(() => response.write('x'), 50);
        response.on('close', () => clearInterval(timer));
      },
    ],
  ])('is reported as unavailable if the server %s', async (_, answer) => {
    connect({}, 2_000);
    server.answer = answer;
    const listing = storage.list('orders', { signal }).next();
    await Promise.all([
      expect(read()).rejects.toEqual(failure('storage_unavailable')),
      expect(listing).rejects.toEqual(failure('storage_unavailable')),
    ]);
  });

  it('is not read to its end if the caller aborts during the read', async () => {
    const caller = new AbortController();
    const reason = new Error('gone');
    const closed = new Promise((resolve) => {
      server.answer = (response) => {
        response.on('close', resolve);
        response.writeHead(200, { 'content-length': bytes.length }).write('x');
        setImmediate(() => caller.abort(reason));
      };
    });
    await expect(storage.read(locate(), { signal: caller.signal })).rejects.toBe(reason);
    await closed;
  });

  it('is reported as not found if the status is 404', async () => {
    const body = type === 's3' ? '<Error><Code>NoSuchKey</Code></Error>' : 'No such object: acme-payloads/x';
    server.answer = (response) => response.writeHead(404).end(body);
    await expect(read()).rejects.toEqual(failure('storage_not_found'));
  });

  it('is reported as unavailable, and not as not found, if the bucket does not exist', async () => {
    const body =
      type === 's3' ? '<Error><Code>NoSuchBucket</Code></Error>' : 'The specified bucket does not exist.';
    server.answer = (response) => response.writeHead(404).end(body);
    await expect(read()).rejects.toEqual(failure('storage_unavailable'));
  });

  it.each([400, 401, 403, 500, 503])('is reported as unavailable if the status is %i', async (status) => {
    server.answer = (response) => response.writeHead(status).end('<Error><Code>Any</Code></Error>');
    await expect(read()).rejects.toEqual(failure('storage_unavailable'));
  });

  it.each([403, 500])(
    'is reported as unavailable if the status is %i and the text never ends',
    async (status) => {
      server.answer = endless(status);
      await expect(read()).rejects.toEqual(failure('storage_unavailable'));
    },
  );

  it.each([304, 400, 404])(
    'is reported with the response’s status, and not as a redirect, if the status is %i',
    async (status) => {
      server.answer = (response) => response.writeHead(status).end('nothing here');
      const message = expect.stringContaining(`status ${status}`);
      const code = type === 'gcs' && status === 404 ? 'storage_not_found' : 'storage_unavailable';
      await expect(read()).rejects.toEqual(expect.objectContaining({ code, message }));
      await expect(read()).rejects.not.toThrow(/redirect/);
    },
  );

  it('is reported as missing or unavailable, without parsing a long error', async () => {
    const error = '<Error><Code>NoSuchKey</Code></Error>';
    server.answer = (response) => response.writeHead(404).end('<!DOCTYPE>'.repeat(2_000) + error);
    // The reader of Cloud Storage needs only the status.
    const code = type === 's3' ? 'storage_unavailable' : 'storage_not_found';
    await expect(read()).rejects.toEqual(failure(code));
  });

  it('is read after a temporary failure', async () => {
    server.answer = (response) => {
      server.answer = withBytes(bytes);
      response.writeHead(503).end();
    };
    expect((await read()).data).toEqual(payload.data);
  });

  it.each([301, 302, 303, 307, 308])('is not read through a redirect with status %i', async (status) => {
    const other = await startStoreServer();
    other.answer = withBytes(bytes);
    server.answer = (response, { url }) =>
      response
        .writeHead(status, { location: `${other.url}${url}`, 'x-amz-bucket-region': 'us-east-1' })
        .end('<Error><Code>PermanentRedirect</Code><Endpoint>127.0.0.1</Endpoint></Error>');
    await expect(read()).rejects.toEqual(failure('storage_unavailable'));
    expect(other.requests).toEqual([]);
    await other.close();
  });

  describe('with other servers in the environment', () => {
    let other: Server;
    let connections: number;

    beforeEach(async () => {
      connections = 0;
      other = createServer((socket) => {
        connections += 1;
        socket.destroy();
      });
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
      const address = other.address();
      const url = `http://127.0.0.1:${typeof address === 'object' ? address!.port : 0}`;
      const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'];
      const endpoints = ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'STORAGE_EMULATOR_HOST'];
      for (const name of [...proxies, ...endpoints]) vi.stubEnv(name, url);
    });

    afterEach(() => new Promise((resolve) => other.close(resolve)));

    it('is read from the configured server', async () => {
      server.answer = withBytes(bytes);
      expect((await read()).data).toEqual(payload.data);
      expect(connections).toBe(0);
    });

    it('is requested from Amazon or Google if the configuration names no server', async () => {
      const authorized = new Headers({ authorization: 'Bearer test' });
      vi.spyOn(GoogleAuth.prototype, 'getRequestHeaders').mockResolvedValue(authorized);
      const hosts = new Set<unknown>();
      vi.spyOn(dns, 'lookup').mockImplementation((...args: unknown[]) => {
        const [host, , done] = args;
        hosts.add(host);
        if (typeof done === 'function') done(new Error('offline'));
      });
      connect({ endpoint: undefined });
      await expect(read()).rejects.toEqual(failure('storage_unavailable'));
      const host = type === 's3' ? 'acme-payloads.s3.eu-central-1.amazonaws.com' : 'storage.googleapis.com';
      expect([...hosts]).toEqual([host]);
      expect(connections).toBe(0);
      vi.restoreAllMocks();
    });
  });
});

it('an object is reported as unavailable if the credentials do not arrive in time', async () => {
  vi.spyOn(GoogleAuth.prototype, 'getRequestHeaders').mockReturnValue(new Promise(() => undefined));
  const [type, driverName, bucket, prefix] = ['gcs', 'mine', 'acme-payloads', 'v0/ns/orders/'] as const;
  const store: Store = { type, driverName, bucket, prefixes: [prefix] };
  storage = new ObjectStorage({ namespaces: new Map([['orders', [store]]]) }, { readMs: 2_000 });
  const sha256 = hashOf(bytes);
  const object = `${prefix}d/sha256/${sha256}`;
  const located = storage.locate('orders', { driverName, type, bucket, object, sha256 });
  const caller = new AbortController();
  const reason = new Error('gone');
  const gone = storage.read(located, { signal: caller.signal });
  setTimeout(() => caller.abort(reason), 100);
  await Promise.all([
    expect(gone).rejects.toBe(reason),
    expect(storage.read(located, { signal })).rejects.toEqual(failure('storage_unavailable')),
    expect(storage.list('orders', { signal }).next()).rejects.toEqual(failure('storage_unavailable')),
  ]);
  vi.restoreAllMocks();
});
