import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ObjectStorage, type Store } from '../src/index.ts';
import { endless, startStoreServer, type StoreServer } from './support/store-server.ts';

const { signal } = new AbortController();
const sha256 = createHash('sha256').update('x').digest('hex');
const time = '2026-11-30T10:00:00.000Z';

let server: StoreServer;
let storage: ObjectStorage;

const refused = async (): Promise<void> => {
  await expect(storage.list('orders', { signal }).next()).rejects.toMatchObject({
    code: 'storage_unavailable',
  });
};

describe.each(['s3', 'gcs'] as const)('a bucket of %s', (type) => {
  beforeEach(async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
    server = await startStoreServer();
    const store: Store = {
      type,
      driverName: 'mine',
      bucket: 'acme-payloads',
      prefixes: ['v0/ns/orders/'],
      region: 'eu-central-1',
      endpoint: server.url,
    };
    storage = new ObjectStorage({ namespaces: new Map([['orders', [store]]]) });
  });

  afterEach(async () => {
    vi.unstubAllEnvs();
    await storage.close();
    await server.close();
  });

  /** Returns a page of a listing. */
  function page(
    names: readonly string[],
    { size = '7', next }: { size?: string; next?: string | undefined } = {},
  ): string {
    if (type === 'gcs')
      return JSON.stringify({
        items: names.map((name) => ({ name, size, updated: time })),
        nextPageToken: next,
      });
    const objects = names.map(
      (name) =>
        `<Contents><Key>${name}</Key><Size>${size}</Size><LastModified>${time}</LastModified></Contents>`,
    );
    const token = next === undefined ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`;
    return `<ListBucketResult>${objects.join('')}${token}</ListBucketResult>`;
  }

  it('is listed page by page, with each object’s size and time, and without objects outside the prefix', async () => {
    const names = ['v0/ns/orders/a', 'v0/ns/orders/b', 'v0/ns/payroll/c'].map(
      (name) => `${name}/d/sha256/${sha256}`,
    );
    server.answer = (response, { url = '' }) => {
      const isFirst = !/(continuation-token|pageToken)=next/.test(url);
      response.end(isFirst ? page(names.slice(0, 1), { next: 'next' }) : page(names.slice(1)));
    };
    const listed: unknown[] = [];
    for await (const { object, ...rest } of storage.list('orders', { signal }))
      listed.push([object.object, rest]);
    expect(listed).toEqual(
      names.slice(0, 2).map((name) => [name, { sizeBytes: 7, modified: new Date(time) }]),
    );
  });

  it('is not listed if the server repeats a page', async () => {
    server.answer = (response, { url = '' }) =>
      response.end(page([], { next: url.includes('=one') ? 'two' : 'one' }));
    await refused();
    expect(server.requests.length).toBe(3);
  });

  it.each(['-5', '1.5', 'x'])('is not listed if the server states a size of %s bytes', async (size) => {
    server.answer = (response) => response.end(page([`v0/ns/orders/d/sha256/${sha256}`], { size }));
    await refused();
  });

  it.each(['', 'text', '<html><body></body></html>'])(
    'is not listed if the server sends %j, which no store sends',
    async (text) => {
      server.answer = (response) => response.end(text);
      await refused();
    },
  );

  it.each(['<!DOCTYPE>', '<a/>', '<a>', '<Contents/>'])(
    'is not listed if the server repeats %s, and parsing the response does not block the process',
    async (part) => {
      const start = type === 's3' ? '<ListBucketResult>' : '';
      const length = 1_900_000;
      server.answer = (response) => response.end(`${start}${part.repeat(length / part.length)}`);
      const before = process.cpuUsage();
      await refused();
      // CPU time in µs. Unlike the elapsed time, CPU time does not depend on other programs on the machine.
      expect(process.cpuUsage(before).user).toBeLessThan(10_000_000);
    },
  );

  it.each([200, 403])(
    'is not listed if the server sends the status %i and never stops sending bytes',
    async (status) => {
      server.answer = endless(status);
      await refused();
    },
  );
});
