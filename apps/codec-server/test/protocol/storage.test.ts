import { createHash, createSecretKey } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import { readStorageFile } from '@temporal-kms/payload-storage';
import { codeBlocks } from '@temporal-kms/testing/markdown';
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest';
import { parsePayloads } from '../../src/json/payload-json.ts';
import { MemoryBudget } from '../../src/memory.ts';
import type { ServedStorage } from '../../src/storage/retrieval.ts';
import { SAMPLE_KEY, SampleCodec } from '../moving/support/codecs.ts';
import { ana } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { posted, serveApp } from '../support/served.ts';
import { keptLog } from '../support/kept-log.ts';
import {
  appWith,
  bodyOf,
  keys,
  type Payload,
  plain,
  post,
  recordedAudit,
  sealedApart,
  startKms,
} from '../support/stack.ts';
import { createStorage, referenceTo } from '../support/storage.ts';

afterEach(() => vi.useRealTimers());

const MiB = 2 ** 20;

// `payments` also reads messages of a proxy in front of Temporal. Here, the proxy uses Temporal's sample
// codec.
const kms = forFile(
  await startKms({
    payments: {
      encrypt: keys.payments,
      accepts: ['orders'],
      reads: ['envelope-v2', 'static'],
      static: new Map([['test-key-id', createSecretKey(Buffer.from(SAMPLE_KEY))]]),
    },
    orders: { encrypt: keys.orders, plaintext: 'refuse' },
    archive: { decrypt: [keys.payments] },
  }),
);
const store = createStorage();
const { storage } = store;
const app = appWith(kms, { storage });

const sealed = async (value: unknown, namespace = 'payments'): Promise<Payload> =>
  (await kms.codec.encode([plain(value)], { namespace }))[0]!;
const stored = async (value: unknown, namespace = 'payments'): Promise<Payload> =>
  store.put(await sealed(value, namespace), { namespace });
const proxied = async (payload: Payload): Promise<Payload> => (await new SampleCodec().encode([payload]))[0]!;

const ask = (path: string, payloads: readonly Payload[], namespace = 'payments', on = app) =>
  post(on, path, bodyOf(payloads), { 'x-namespace': namespace });
const payloadsOf = async (response: Response): Promise<Payload[]> => {
  const body = await response.text();
  expect([response.status, body]).toEqual([200, expect.anything()]);
  return parsePayloads(Buffer.from(body), 1_000);
};
const valuesOf = async (response: Response): Promise<unknown[]> =>
  (await payloadsOf(response)).map(({ data }) => JSON.parse(Buffer.from(data!).toString()));
const refusal = async (response: Response): Promise<[number, string]> => [
  response.status,
  (await response.text()).split(':')[0]!.trim(),
];

describe('/decode', () => {
  it('replaces references with their decrypted objects, and keeps the order of all payloads', async () => {
    const payloads = [await sealed('a'), await stored('b'), plain('c'), await stored('d')];
    expect(await valuesOf(await ask('/decode', payloads))).toEqual(['a', 'b', 'c', 'd']);
  });

  it('leaves references unchanged with preserveStorageRefs=true', async () => {
    const reference = await stored('b');
    const answer = await ask('/decode?preserveStorageRefs=true', [await sealed('a'), reference]);
    const [first, second] = await payloadsOf(answer);
    expect(Buffer.from(first!.data!).toString()).toBe('"a"');
    expect([second!.data, String(second!.externalPayloads![0]!.sizeBytes)]).toEqual([
      reference.data,
      String(reference.externalPayloads![0]!.sizeBytes),
    ]);
  });

  it('refuses references that it may not read if the namespace refuses plaintext, even with preserveStorageRefs=true', async () => {
    const path = '/decode?preserveStorageRefs=true';
    const reference = await stored('o', 'orders');
    const [kept] = await payloadsOf(await ask(path, [reference], 'orders'));
    expect(kept!.data).toEqual(reference.data);
    const tape = referenceTo({ place: 'elsewhere' }, 9, 'acme.tape');
    const broken = referenceTo({ bucket: 'acme-payloads', file: 'x' });
    for (const other of [await stored('p'), tape, broken, plain('clear')])
      expect(await refusal(await ask(path, [reference, other], 'orders'))).toEqual([
        400,
        'format_not_allowed',
      ]);
  });

  it('reads the object of a reference that a proxy has encrypted', async () => {
    const reference = await store.put(plain('in plaintext'));
    expect(await valuesOf(await ask('/decode', [await proxied(reference)]))).toEqual(['in plaintext']);
  });

  it('applies the rule about plaintext to the object, not to the reference', async () => {
    expect(await valuesOf(await ask('/decode', [await stored('o', 'orders')], 'orders'))).toEqual(['o']);
    const clear = await store.put(plain('clear'), { namespace: 'orders' });
    expect(await refusal(await ask('/decode', [clear], 'orders'))).toEqual([400, 'format_not_allowed']);
  });

  it('returns a reference unchanged if its namespace or driver has no configured store', async () => {
    const archived = await stored('a');
    const [same] = await payloadsOf(await ask('/decode', [archived], 'archive'));
    expect(same!.data).toEqual(archived.data);
    const tape = referenceTo({ place: 'elsewhere' }, 9, 'acme.tape');
    const [unread] = await payloadsOf(await ask('/decode', [tape]));
    expect(unread!.data).toEqual(tape.data);
  });

  it('returns references unchanged if there is no storage file, and /download then returns 404', async () => {
    const bare = appWith(kms);
    const reference = await stored('a');
    const [same] = await payloadsOf(await ask('/decode', [reference], 'payments', bare));
    expect(same!.data).toEqual(reference.data);
    expect((await ask('/download', [reference], 'payments', bare)).status).toBe(404);
  });
});

it('accepts the storage file that the documentation shows', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'storage-file-')), 'storage.yaml');
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/access.md'), 'utf8');
  const { code } = codeBlocks(page).find(({ info }) => info.includes('title="storage.yaml"'))!;
  writeFileSync(path, code, { mode: 0o600 });
  expect(readStorageFile(path).namespaces.get('orders')).toMatchObject([
    { type: 's3', driverName: 'aws.s3driver', prefixes: ['v0/ns/orders/'] },
  ]);
});

it('looks up each reference only once per request', async () => {
  const references = [await stored('a'), await stored('b')];
  let lookUps = 0;
  const { read, readStart } = storage.objects;
  const counted: ServedStorage['objects'] = {
    read,
    readStart,
    locate: (...args) => {
      lookUps += 1;
      return storage.objects.locate(...args);
    },
  };
  const on = appWith(kms, { storage: { objects: counted } });
  for (const path of ['/decode', '/download', '/decode?preserveStorageRefs=true']) {
    lookUps = 0;
    await payloadsOf(await ask(path, references, 'payments', on));
    expect(lookUps).toBe(2);
  }
});

describe('/encode', () => {
  it('stores nothing, and returns references unchanged', async () => {
    const reference = await stored('a');
    const [first, second] = await payloadsOf(await ask('/encode', [reference, plain('x'.repeat(MiB))]));
    expect(first!.data).toEqual(reference.data);
    expect(second!.data!.length).toBeGreaterThan(MiB);
  });
});

describe('/download', () => {
  it('returns the payloads of references, decrypted', async () => {
    // The Web UI sends payloads as Temporal stores them. Behind a proxy, that is the proxy's ciphertext.
    const payloads = [await stored('a'), await proxied(await stored('b'))];
    expect(await valuesOf(await ask('/download?preserveStorageRefs=true', payloads))).toEqual(['a', 'b']);
  });

  it('returns 400 unless all payloads are references', async () => {
    const before = store.reads.length;
    for (const payloads of [
      [await stored('a'), plain('b')],
      [await sealed('a')],
      [await proxied(plain('a'))],
    ]) {
      const response = await ask('/download', payloads);
      expect([response.status, await response.text()]).toEqual([
        400,
        'all payloads must be storage references\n',
      ]);
    }
    expect(store.reads.length).toBe(before);
    expect(await refusal(await ask('/download', [referenceTo({ place: 'x' }, 9, 'acme.tape')]))).toEqual([
      400,
      'external_reference',
    ]);
  });

  it('requires the permission `decode`, and takes only POST', async () => {
    const access = ana({ payments: ['metadata', 'encode', 'search', 'export'] });
    const before = store.reads.length;
    const denied = await ask('/download', [await stored('a')], 'payments', appWith(kms, { storage, access }));
    expect(denied.status).toBe(403);
    expect(store.reads.length).toBe(before);
    expect((await app.request('/download', { headers: { host: '127.0.0.1:8088' } })).status).toBe(405);
  });
});

describe('the audit', () => {
  it.each(['/decode', '/download'])('names each object before %s reads the object', async (path) => {
    const { audit, entries } = recordedAudit();
    const references = [await stored('a'), await stored('b')];
    const audited = createStorageThat(() => {
      expect(entries.at(-1)!.event).toBe('object');
    });
    expect(
      await valuesOf(await ask(path, references, 'payments', appWith(kms, { storage: audited, audit }))),
    ).toEqual(['a', 'b']);
    expect(entries.map(({ event }) => event)).toEqual(['intent', 'object', 'object', 'outcome']);
    expect(new Set(entries.map(({ id }) => id)).size).toBe(1);
    expect(entries.slice(1, 3).map(({ object, part }) => [part, object])).toEqual(
      references.map(({ data }, n) => [
        n + 1,
        {
          type: 'directory',
          driver: 'temporal-kms.directory',
          bucket: 'acme-payloads',
          object: JSON.parse(Buffer.from(data!).toString()).claimData.file,
        },
      ]),
    );
    expect(entries[3]!.outcome).toMatchObject({ result: 'complete', payloads: 2, keys: [{ payloads: 2 }] });
  });

  it.each(['/decode', '/download'])('must be written before %s reads an object', async (path) => {
    const { audit, entries } = recordedAudit(({ event }) => event !== 'object');
    const before = store.reads.length;
    const response = await ask(path, [await stored('a')], 'payments', appWith(kms, { storage, audit }));
    expect(await refusal(response)).toEqual([503, 'No audit.']);
    expect(store.reads.length).toBe(before);
    expect(entries.at(-1)!.outcome).toMatchObject({ result: 'failed', payloads: 0 });
  });
});

/** Returns a copy of the storage that calls `before` before each read. */
function createStorageThat(before: () => void): typeof storage {
  const { objects } = storage;
  return {
    objects: {
      locate: objects.locate,
      readStart: objects.readStart,
      read: (...args) => {
        before();
        return objects.read(...args);
      },
    },
  };
}

const claimOf = ({ data }: Payload): Record<string, string> =>
  JSON.parse(Buffer.from(data!).toString()).claimData;

describe('a reference of an attacker', () => {
  it('is refused without a request to the store if it names another namespace’s object, another bucket or another path', async () => {
    const before = store.reads.length;
    const own = claimOf(await stored('a'));
    const foreign = claimOf(await stored('o', 'orders'));
    const attempts = [
      foreign,
      { ...own, bucket: 'other-payloads' },
      { ...own, bucket: 'arn:aws:s3:eu-central-1:123456789012:accesspoint/x' },
      { ...own, file: own['file']!.replace('/payments/', '/payments/../orders/') },
      { ...own, file: own['file']!.replace('/payments/', '/PAYMENTS/') },
      { ...own, file: `/${own['file']}` },
    ];
    for (const claim of attempts) {
      expect(await refusal(await ask('/decode', [referenceTo(claim, 9)]))).toEqual([
        400,
        'storage_not_allowed',
      ]);
      expect(await refusal(await ask('/decode', [await proxied(referenceTo(claim, 9))]))).toEqual([
        400,
        'storage_not_allowed',
      ]);
    }
    for (const wrong of [
      { ...own, hashAlgorithm: 'md5' },
      { ...own, file: 'v0/x' },
      { ...own, more: '1' },
    ])
      expect(await refusal(await ask('/decode', [referenceTo(wrong, 9)]))).toEqual([400, 'malformed']);
    expect(store.reads.length).toBe(before);
  });

  it('is decrypted only for callers who may read the namespace that the object’s message names', async () => {
    const planted = await store.put(await sealed('o', 'orders'));
    expect(await valuesOf(await ask('/decode', [planted]))).toEqual(['o']);
    const access = ana({ payments: ['decode'] });
    const response = await ask('/decode', [planted], 'payments', appWith(kms, { storage, access }));
    expect(response.status).toBe(403);
    // `orders` accepts no messages of `payments`.
    const exchanged = await store.put(await sealed('p'), { namespace: 'orders' });
    expect(await refusal(await ask('/decode', [exchanged], 'orders'))).toEqual([400, 'namespace_mismatch']);
  });

  it('is refused if its object contains a further reference', async () => {
    const inner = await stored('a');
    for (const content of [inner, await proxied(inner)])
      expect(await refusal(await ask('/decode', [await store.put(content)]))).toEqual([400, 'malformed']);
  });

  it('is refused, before its object’s metadata takes memory, if the metadata has too many entries or is too long', async () => {
    const entries = Array.from({ length: 65 }, (_, n) => [`k${n}`, Buffer.from('v')]);
    for (const metadata of [
      Object.fromEntries(entries),
      { a: Buffer.alloc(40_000), b: Buffer.alloc(40_000) },
      { ['k'.repeat(70_000)]: Buffer.from('v') },
    ])
      expect(await refusal(await ask('/decode', [await store.put({ metadata })]))).toEqual([
        400,
        'too_large',
      ]);
  });

  it('is refused if the metadata of its objects exceeds the memory of a response', async () => {
    const memory = new MemoryBudget(32 * MiB);
    const reference = await store.put({ metadata: { note: Buffer.alloc(60_000) } });
    const many = Array.from({ length: 300 }, () => reference);
    const response = await ask('/decode', many, 'payments', appWith(kms, { storage, memory }));
    expect(response.status).toBe(413);
  });

  it('takes no more memory than a request may hold, even if a request repeats it 200 times', async () => {
    const memory = new MemoryBudget(32 * MiB);
    const large = await store.put({ metadata: {}, data: Buffer.alloc(4 * MiB, 7) });
    const before = store.reads.length;
    const many = Array.from({ length: 200 }, () => large);
    const response = await ask('/decode', many, 'payments', appWith(kms, { storage, memory }));
    expect([413, 503]).toContain(response.status);
    expect(store.reads.length - before).toBeLessThanOrEqual(6);
    await expect.poll(() => memory.held).toBe(0);
    expect((await ask('/decode', [large], 'payments', appWith(kms, { storage, memory }))).status).toBe(200);
  });

  it('counts towards the caller’s bytes per minute', async () => {
    const limited = appWith(kms, { storage, rates: { storageBytes: 640 * 1024 } });
    const large = await store.put({ metadata: {}, data: Buffer.alloc(256 * 1024, 7) });
    const small = await stored('a');
    expect((await ask('/decode', [large, large], 'payments', limited)).status).toBe(200);
    const response = await ask('/decode', [large], 'payments', limited);
    expect([response.status, Number(response.headers.get('retry-after'))]).toEqual([429, expect.any(Number)]);
    expect((await ask('/decode', [small], 'payments', limited)).status).toBe(200);
    expect((await ask('/decode', [await sealed('b')], 'payments', limited)).status).toBe(200);
  });

  describe('in a request for more bytes than the caller has left', () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));

    it.each([
      ['the limit permits', 5, 3],
      ['the limit permits in a minute', 2, 3],
      ['the limit permits, in two slices', 40, 600],
    ])('can be read after the time in Retry-After if %s', async (_, limit, count) => {
      const limited = appWith(kms, { storage, rates: { storageBytes: limit * MiB } });
      const size = count < 500 ? MiB - 100 : 100;
      const reference = await store.put({ metadata: {}, data: Buffer.alloc(size, 7) });
      const references = Array.from({ length: count }, () => reference);
      const request = () => ask('/decode', references, 'payments', limited);
      expect((await request()).status).toBe(200);
      const before = store.reads.length;
      const refused = await request();
      expect([refused.status, store.reads.length - before]).toEqual([429, 0]);
      let response = refused;
      for (let n = 0; n < 2 && response.status === 429; n += 1) {
        vi.advanceTimersByTime(Number(response.headers.get('retry-after')) * 1_000);
        response = await request();
      }
      expect(response.status).toBe(200);
    });
  });

  it('counts towards the caller’s bytes per minute even if the read fails', async () => {
    const limited = appWith(kms, { storage, rates: { storageBytes: MiB } });
    const large = await store.put({ metadata: {}, data: Buffer.alloc(MiB, 8) }, { states: 'nothing' });
    writeFileSync(store.fileOf(large), Buffer.alloc(MiB));
    const statuses: number[] = [];
    for (let n = 0; n < 2; n += 1) statuses.push((await ask('/decode', [large], 'payments', limited)).status);
    expect(statuses).toEqual([400, 429]);
  });

  it('counts with the bytes read if its stated size is too large, and with its stated size if the object was altered', async () => {
    const limited = appWith(kms, { storage, rates: { storageBytes: MiB } });
    const { data } = await stored('small');
    const overstated = referenceTo(claimOf({ data: data! }), 600 * 1024);
    for (let n = 0; n < 5; n += 1)
      expect((await ask('/decode', [overstated], 'payments', limited)).status).toBe(200);
    writeFileSync(store.fileOf(overstated), 'x');
    const statuses: number[] = [];
    for (let n = 0; n < 2; n += 1)
      statuses.push((await ask('/decode', [overstated], 'payments', limited)).status);
    expect(statuses).toEqual([400, 429]);
  });

  it('counts only the request to the store, not the object’s bytes, if its object is gone', async () => {
    const limited = appWith(kms, { storage, rates: { storageBytes: MiB } });
    const gone = await store.put({ metadata: {}, data: Buffer.alloc(MiB / 2, 9) });
    rmSync(store.fileOf(gone));
    for (let n = 0; n < 5; n += 1)
      expect(await refusal(await ask('/decode', [gone], 'payments', limited))).toEqual([
        400,
        'storage_not_found',
      ]);
  });

  it('does not count if the request gets no memory for its object', async () => {
    const memory = new MemoryBudget(32 * MiB);
    const limited = appWith(kms, { storage, memory, rates: { storageBytes: 48 * MiB } });
    const { data } = await stored('small');
    const large = referenceTo(claimOf({ data: data! }), 40 * MiB);
    const before = store.reads.length;
    for (let n = 0; n < 3; n += 1)
      expect((await ask('/decode', [large], 'payments', limited)).status).toBe(413);
    expect(store.reads.length).toBe(before);
  });

  it('causes no more Cloud KMS requests than the caller may make', async () => {
    const objects = await Promise.all((await sealedApart(kms, 8)).map((message) => store.put(message)));
    await using other = kms.another();
    vi.useFakeTimers({ toFake: ['performance'] });
    const limited = appWith(other, { storage, rates: { kmsRequests: 4 }, limits: { requestMs: 5_000 } });
    const before = kms.emulator.calls.count('Decrypt');
    const statuses: number[] = [];
    for (const object of objects) statuses.push((await ask('/decode', [object], 'payments', limited)).status);
    expect(statuses).toEqual([200, 200, 200, 200, 429, 429, 429, 429]);
    expect(kms.emulator.calls.count('Decrypt') - before).toBe(4);
    expect((await ask('/decode', [objects[0]!], 'payments', limited)).status).toBe(200);
  });
});

describe('an object', () => {
  test.each([
    ['altered', 'storage_altered', (file: string) => writeFileSync(file, Buffer.alloc(9))],
    ['truncated', 'storage_altered', (file: string) => truncateSync(file, 5)],
    ['deleted', 'storage_not_found', (file: string) => rmSync(file)],
    ['made larger', 'storage_altered', (file: string) => truncateSync(file, 2 * MiB)],
  ])('is refused if it was %s, with the code %s', async (_, code, change) => {
    const reference = await stored(`changed ${code} ${Math.random()}`);
    change(store.fileOf(reference));
    expect(await refusal(await ask('/decode', [await sealed('a'), reference]))).toEqual([400, code]);
  });

  it('is refused if it is not a payload', async () => {
    const bytes = Buffer.from([0xff, 0xff]);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const file = `v0/ns/payments/d/sha256/${sha256}`;
    const reference = referenceTo({
      bucket: 'acme-payloads',
      file,
      hashAlgorithm: 'sha256',
      hashValue: sha256,
    });
    mkdirSync(dirname(store.fileOf(reference)), { recursive: true });
    writeFileSync(store.fileOf(reference), bytes);
    expect(await refusal(await ask('/decode', [reference]))).toEqual([400, 'storage_altered']);
  });

  it('is not named in the log if it cannot be read', async () => {
    const { log, lines } = keptLog();
    const reference = await stored('a');
    const file = claimOf(reference)['file']!.replace('/wi/w/', '/wi/chosen-by-the-writer/');
    const link = referenceTo({ ...claimOf(reference), file });
    mkdirSync(dirname(store.fileOf(link)), { recursive: true });
    symlinkSync(store.fileOf(reference), store.fileOf(link));
    const response = await ask('/decode', [link], 'payments', appWith(kms, { storage, log }));
    expect(response.status).toBe(503);
    expect(await response.text()).toContain('chosen-by-the-writer');
    const [line] = lines.map((text) => JSON.parse(text));
    expect(line.reasonCode).toBe('storage_unavailable');
    expect(line.reason).toContain('acme-payloads');
    expect(line.reason).toContain('symbolic link');
    expect(lines.join()).not.toContain('chosen-by-the-writer');
  });

  it('makes the server stop looking up other objects’ sizes if its own size is not available', async () => {
    const { audit, entries } = recordedAudit();
    const references = await Promise.all(
      Array.from({ length: 20 }, (_, n) => store.put(plain(`size ${n}`), { states: 'nothing' })),
    );
    const [gone] = references;
    rmSync(store.fileOf(gone!));
    const failed = Promise.withResolvers<void>();
    const { locate, read, readStart } = storage.objects;
    const objects: ServedStorage['objects'] = {
      locate,
      read,
      readStart: async (object, ...more) => {
        const isGone = object.object === claimOf(gone!)['file'];
        if (!isGone) await failed.promise;
        try {
          return await readStart(object, ...more);
        } finally {
          if (isGone) setImmediate(failed.resolve);
        }
      },
    };
    const response = await ask(
      '/decode',
      references,
      'payments',
      appWith(kms, { storage: { objects }, audit }),
    );
    expect(await refusal(response)).toEqual([400, 'storage_not_found']);
    expect(entries.length).toBeLessThan(20);
    expect(entries.at(-1)!.event).toBe('outcome');
  });

  it('is read within the same limits if the reference does not state its size', async () => {
    const reference = await store.put(await sealed('a'), { states: 'nothing' });
    expect(await valuesOf(await ask('/decode', [reference]))).toEqual(['a']);
    const memory = new MemoryBudget(32 * MiB);
    const many = Array.from({ length: 10 }, () => reference);
    const response = await ask('/decode', many, 'payments', appWith(kms, { storage, memory }));
    expect(await valuesOf(response)).toEqual(many.map(() => 'a'));
    const huge = referenceTo({ ...JSON.parse(String(reference.data)).claimData }, 51 * MiB);
    expect(await refusal(await ask('/decode', [huge]))).toEqual([400, 'too_large']);
  });

  it('takes 1.5 times its size in memory, is decrypted in place, and is freed once the response is sent', async () => {
    const memory = new MemoryBudget(2 * MiB);
    const contents: Payload[] = [];
    const objects = {
      locate: storage.objects.locate,
      readStart: storage.objects.readStart,
      read: async (...args: Parameters<typeof storage.objects.read>) => {
        const content = await storage.objects.read(...args);
        contents.push(content);
        return content;
      },
    };
    const { url } = await serveApp(kms, { storage: { objects }, memory });
    const text = 'x'.repeat(0.9 * MiB);
    const reference = await stored(text);
    // If the app is called without a port, it does not free the object.
    const here = appWith(kms, { storage: { objects }, memory });
    expect((await valuesOf(await ask('/decode', [reference], 'payments', here)))[0] === text).toBe(true);
    expect(Buffer.from(contents[0]!.data!).includes(text)).toBe(true);
    const response = await fetch(`${url}/decode`, posted(bodyOf([reference])));
    expect((await response.text()).includes(Buffer.from(text).toString('base64').slice(0, 1_000))).toBe(true);
    await expect.poll(() => contents[1]!.data!.length).toBe(0);
    const larger = await stored('x'.repeat(1.1 * MiB));
    const refused = await fetch(`${url}/decode`, posted(bodyOf([larger])));
    expect([refused.status, await refused.text()]).toEqual([
      413,
      expect.stringContaining('CODEC_MAX_INFLIGHT_BYTES'),
    ]);
    await expect.poll(() => memory.held).toBe(0);
  });

  it('is read together with at most seven other objects of the same request', async () => {
    const slow = createStorage(async () => {
      await new Promise((resolve) => setImmediate(resolve));
    });
    const references = await Promise.all(Array.from({ length: 40 }, (_, n) => slow.put(plain(n))));
    const response = await ask('/decode', references, 'payments', appWith(kms, { storage: slow.storage }));
    expect(await valuesOf(response)).toEqual(references.map((_, n) => n));
    expect(slow.inFlight.most).toBe(8);
  });

  it('is no longer read when the client disconnects', async () => {
    const begun = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    const hanging = createStorage(async (_, signal) => {
      begun.resolve();
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      aborted.resolve();
      signal.throwIfAborted();
    });
    const memory = new MemoryBudget(256 * MiB);
    const { audit, entries } = recordedAudit();
    const { url } = await serveApp(kms, { storage: hanging.storage, memory, audit });
    const gone = new AbortController();
    const body = bodyOf([await hanging.put(plain('a')), await hanging.put(plain('b'))]);
    const asked = fetch(`${url}/decode`, posted(body, gone.signal));
    await begun.promise;
    gone.abort();
    await expect(asked).rejects.toThrow();
    await aborted.promise;
    await expect.poll(() => [memory.held, entries.at(-1)?.outcome?.result]).toEqual([0, 'cut_off']);
  });

  it('stops the request’s reads of other objects if it cannot be read', async () => {
    let aborted = 0;
    const reference = await store.put(plain('failing'));
    const failing = createStorage(async ({ object }, signal) => {
      if (object.includes(JSON.parse(String(reference.data)).claimData.hashValue))
        throw new KmsCodecError('storage_unavailable', 'Not now.');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      aborted += 1;
      signal.throwIfAborted();
    });
    const others = await Promise.all([plain('b'), plain('c')].map((payload) => failing.put(payload)));
    await failing.put(plain('failing'));
    const on = appWith(kms, { storage: failing.storage });
    const response = await ask('/decode', [...others, reference], 'payments', on);
    expect(await refusal(response)).toEqual([503, 'storage_unavailable']);
    expect(aborted).toBe(2);
  });
});
