import { rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReasonCode } from '@temporal-kms/kms-codec';
import { ObjectStorage, readStorageFile } from '@temporal-kms/payload-storage';
import type { Payload } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { summaryOfPayload } from '../../src/scan/history-summary.ts';
import { scanNamespace } from '../../src/scan/scan-namespace.ts';
import { gapLines, reportLines } from '../../src/scan/report-text.ts';
import { ScanState } from '../../src/scan/state.ts';
import { type KnownObjects, StoredObjects } from '../../src/scan/stored-objects.ts';
import { NamespaceTally } from '../../src/scan/tally.ts';
import type { ListedRun, ScanSource } from '../../src/temporal/scan-source.ts';
import { temporaryFolder } from '../support/cli.ts';
import { KEY, payloadOf } from '../support/messages.ts';
import { BUCKET, hashOf, referenceTo, startStore, stored } from '../support/stored.ts';

const NAMESPACE = 'payments';
const START = Date.parse('2030-01-01T00:00:00Z');

const emptyReport = { version: 1, started: '2030-01-01T00:00:00Z', complete: false } as const;
const limiter = { removeTokens: async () => undefined };

/** Returns a message that is as large as the messages that SDKs store. */
const large = (version: number, bytes = 20_000): Payload => {
  const { metadata, data } = payloadOf({ version, named: true });
  return { ...(metadata && { metadata }), data: Buffer.concat([data!, Buffer.alloc(bytes)]) };
};

/** Stores bytes. @returns a reference that states no size */
async function put(path: string, bytes: Uint8Array): Promise<Payload> {
  const object = `v0/ns/${NAMESPACE}/d/sha256/${hashOf(bytes)}`;
  await mkdir(join(path, object, '..'), { recursive: true });
  await writeFile(join(path, object), bytes);
  return referenceTo({ object, bytes, size: null });
}

/** Returns a namespace with closed runs, each with the given payloads. */
const sourceOf = (runs: readonly (readonly Payload[])[]): ScanSource => ({
  describe: async () => ({ id: 'id', retentionSeconds: 86_400, archive: 'none' }),
  async *runs() {
    yield runs.map((_, n): ListedRun => ({
      workflowId: `w${n}`,
      runId: `r${n}`,
      isOpen: false,
      startTime: START,
      closeTime: START,
    }));
  },
  async *archivedRuns() {},
  async *history({ runId }) {
    yield [
      {
        workflowExecutionStartedEventAttributes: { input: { payloads: [...runs[Number(runId.slice(1))]!] } },
      },
      { workflowExecutionCompletedEventAttributes: {} },
    ];
  },
  describeRun: async () => ({}),
  async *schedules() {},
  describeSchedule: async () => undefined,
  notWalked: async () => [],
});

interface Scan {
  readonly storage: ObjectStorage;
  readonly namespace?: string;
  readonly folder?: string;
  readonly known?: KnownObjects;
  readonly onRequest?: () => void;
  /** Kills the process at the request with this number, once all earlier requests have ended. */
  readonly killAt?: number;
}

async function scan(
  runs: readonly (readonly Payload[])[],
  { storage, namespace = NAMESPACE, folder, known = new Map(), onRequest, killAt }: Scan,
) {
  const state = await ScanState.open(join(folder ?? (await temporaryFolder()), 'journal'));
  let requests = 0;
  const reads: Promise<unknown>[] = [];
  const counted: Pick<ObjectStorage, 'locate' | 'readStart'> = {
    locate: (...args) => storage.locate(...args),
    readStart: async (...args) => {
      requests += 1;
      onRequest?.();
      if (killAt !== undefined && requests >= killAt) throw new RangeError('killed');
      const read = storage.readStart(...args);
      reads.push(read);
      return await read;
    },
  };
  const report = await scanNamespace({
    source: sourceOf(runs),
    namespace,
    keys: [KEY],
    openState: async () => state,
    referencesOf: (kept) => new StoredObjects({ storage: counted, namespace, limiter, known, kept }),
    exports: [],
    settleMs: 0,
    now: () => new Date(),
    sleep: async () => undefined,
    progress: () => undefined,
  }).catch((error: unknown) => {
    if (!(error instanceof RangeError)) throw error;
  });
  await Promise.allSettled(reads);
  await new Promise((resolve) => setImmediate(resolve));
  await state.flush();
  const versions = report?.keys.map(({ version, formats }) => [version, formats]) ?? [];
  return { report, requests, completed: reads.length, versions };
}

describe('a scan with external storage', () => {
  it('counts the key versions that stored objects need, and requests each object once', async () => {
    const store = await startStore(NAMESPACE);
    const storage = store.open();
    const shared = await store.store(large(1));
    const own = await store.store(large(2, 500_000));
    const runs = [
      [shared.reference, shared.reference, payloadOf({ version: 2, named: true })],
      [shared.reference, own.reference],
    ];
    // Protobuf does not distinguish a size of 0 from no size.
    for (const size of [0, null]) runs[1]!.push(referenceTo({ ...own, size }));
    const { report, requests, versions } = await scan(runs, { storage });
    expect([requests, report?.storage, report?.complete, report?.gaps]).toEqual([
      2,
      { objects: 2, requests: 2 },
      true,
      [],
    ]);
    expect(versions).toEqual([
      [1, { 'envelope-v2': 3 }],
      [2, { 'envelope-v2': 4 }],
    ]);
    expect(report?.looked.closed.payloads).toBe(7);
  });

  it('makes one request per object for 10,000 runs, a fifth of which have references', async () => {
    const store = await startStore(NAMESPACE);
    const storage = store.open();
    const objects = await Promise.all(
      Array.from({ length: 200 }, (_, n) => store.store(large(1, n), { runId: String(n) })),
    );
    const inline = payloadOf({ version: 3, named: true });
    const runs = Array.from({ length: 10_000 }, (_, n) => [
      n % 5 === 0 ? objects[(n / 5) % objects.length]!.reference : inline,
    ]);
    const { report, requests } = await scan(runs, { storage });
    expect([requests, report?.storage, report?.complete]).toEqual([
      200,
      { objects: 200, requests: 200 },
      true,
    ]);
    expect(report?.keys.map(({ version, places }) => [version, places.closed?.histories])).toEqual([
      [1, 2_000],
      [3, 8_000],
    ]);
  });

  it('requests no object again when a killed scan continues, but requests every object in the next scan', async () => {
    const store = await startStore(NAMESPACE);
    const storage = store.open();
    const folder = await temporaryFolder();
    const objects = await Promise.all(
      Array.from({ length: 20 }, (_, n) => store.store(large(1 + (n % 3), n), { runId: `r\u2028${n}` })),
    );
    const runs = objects.map(({ reference }) => [reference]);
    const killed = await scan(runs, { storage, folder, killAt: 15 });
    expect([killed.report, killed.completed]).toEqual([undefined, expect.toSatisfy((count) => count >= 7)]);
    const resumed = await scan(runs, { storage, folder });
    expect(resumed.requests).toBe(20 - killed.completed);
    expect(resumed.report).toMatchObject({
      complete: true,
      storage: { objects: 20, requests: resumed.requests },
    });
    const next = await scan(runs, { storage, folder });
    expect([next.requests, next.report?.looked.closed.read]).toEqual([20, 0]);
    expect(next.versions).toEqual(resumed.versions);
    await store.remove(objects[4]!);
    const last = await scan(runs, { storage, folder });
    expect([last.report?.complete, last.report?.gaps]).toMatchObject([
      false,
      [{ reason: 'storage_not_found', objects: [{ object: `directory://${BUCKET}/${objects[4]!.object}` }] }],
    ]);
  });

  it('requests an object once for two namespaces that refer to it, and requests no object that a namespace may not read', async () => {
    const store = await startStore(NAMESPACE, 'orders');
    const storage = store.open();
    const object = await store.store(large(4));
    const known: KnownObjects = new Map();
    const runs = [[object.reference]];
    const first = await scan(runs, { storage, known });
    const again = await scan(runs, { storage, known });
    const other = await scan(runs, { storage, known, namespace: 'orders' });
    expect([first.requests, again.requests, other.requests]).toEqual([1, 0, 0]);
    expect([again.report?.complete, again.versions]).toEqual([true, first.versions]);
    expect(other.report?.gaps).toMatchObject([
      { kind: 'external_storage', place: 'closed', reason: 'storage_not_allowed', count: 1 },
    ]);
  });

  it('distinguishes objects of the same name in stores whose buckets have the same name', async () => {
    const [first, second] = [await startStore(NAMESPACE), await startStore(NAMESPACE)];
    const { reference } = await first.store(large(4));
    await second.store(large(5));
    const file = join(await temporaryFolder(), 'storage.yaml');
    const store = { type: 'directory', bucket: BUCKET, prefixes: ['v0/'] };
    const namespaces = {
      [NAMESPACE]: [{ ...store, path: first.path }],
      orders: [{ ...store, path: second.path }],
    };
    await writeFile(file, `${JSON.stringify({ namespaces })}\n...\n`, { mode: 0o600 });
    const storage = new ObjectStorage(readStorageFile(file));
    const known: KnownObjects = new Map();
    const { report } = await scan([[reference]], { storage, known });
    expect(report?.complete).toBe(true);
    const other = await scan([[reference]], { storage, known, namespace: 'orders' });
    expect(other.report?.gaps).toMatchObject([{ reason: 'storage_not_found', count: 1 }]);
  });

  it('reports unreadable objects, grouped by cause, with examples of their names', async () => {
    const store = await startStore(NAMESPACE);
    const storage = store.open();
    const named = (payload: Payload, more: object = {}) => store.store(payload, more);
    const gone = await named(large(1));
    await store.remove(gone);
    const truncated = await named(payloadOf({ version: 1, named: true }), {
      bytes: stored(large(1)).subarray(0, 40),
    });
    const replaced = await named(payloadOf({ version: 2, named: true }), {
      bytes: stored(payloadOf({ version: 3, named: true })),
    });
    const garbage = await named(large(5), { bytes: Buffer.alloc(30_000, 0x12) });
    const lying = await named(large(6));
    const newline = {
      object: `v0/ns/payments/wi/a\n\u001b[2Jb/d/sha256/${hashOf(Buffer.of())}`,
      bytes: Buffer.of(),
    };
    const cases = [
      [gone.reference, 'storage_not_found'],
      [truncated.reference, 'storage_altered'],
      [replaced.reference, 'storage_altered'],
      [garbage.reference, 'storage_altered'],
      [referenceTo({ ...lying, size: 4 }), 'storage_altered'],
      [referenceTo(newline), 'storage_not_allowed'],
      [referenceTo(gone, 'other-bucket'), 'storage_not_allowed'],
      [{ ...gone.reference, data: Buffer.from('{}') }, undefined],
    ] as const;
    const { report } = await scan(
      cases.map(([reference]) => [reference]),
      { storage },
    );
    expect([report?.complete, report?.keys]).toEqual([false, []]);
    const byReason = Map.groupBy(cases, ([, reason]): ReasonCode | undefined => reason);
    expect(new Map(report?.gaps.map(({ reason, count }) => [reason, count]))).toEqual(
      new Map([...byReason].map(([reason, of]) => [reason, of.length])),
    );
    for (const { kind, reason, objects = [], message, example } of report?.gaps ?? []) {
      expect([kind, example]).toMatchObject(['external_storage', { runId: expect.any(String) }]);
      expect(objects).toHaveLength(reason === undefined ? 0 : byReason.get(reason)!.length);
      if (reason !== undefined) expect(message).toContain(`(${reason})`);
    }
    const text = reportLines({ ...emptyReport, cryptoKeys: [], namespaces: [report!] }).join('\n');
    expect(text).toMatch(/closed: Stored objects are gone \(storage_not_found\)\. \(1\) For example w0/);
    expect(text).toMatch(/\n {4}The stored object "directory:\/\/payloads\/v0\/ns\/payments\/.*" is gone: /);
    expect(text).not.toContain('\u001b');
  });

  it('reports references that it cannot read, because a codec encrypted them or they have another encoding', async () => {
    const store = await startStore(NAMESPACE);
    const { reference } = await store.store(large(1));
    const { metadata, data, externalPayloads } = reference;
    const message = payloadOf({ version: 2, named: true });
    const mark = { __temporal_external_storage_reference: Buffer.from('true') };
    const hidden: Payload[] = [
      { ...message, metadata: { ...message.metadata, ...mark } },
      { ...message, ...(externalPayloads && { externalPayloads }) },
      { metadata: { ...metadata, encoding: Buffer.from('binary/protobuf') }, ...(data && { data }) },
      { metadata: mark },
    ];
    const storage = store.open();
    for (const payload of hidden) {
      const { report } = await scan([[payload]], { storage });
      expect([report?.complete, report?.gaps]).toMatchObject([
        false,
        [{ kind: 'external_storage', count: 1 }],
      ]);
    }
    // The Python SDK also marks a reference that the codec has not encrypted.
    const marked = { ...reference, metadata: { ...metadata, ...mark } };
    const { report, versions } = await scan([[marked]], { storage });
    expect([report?.complete, versions]).toEqual([true, [[1, { 'envelope-v2': 1 }]]]);
  });

  it('reports an object whose first bytes do not show which key it needs', async () => {
    const store = await startStore(NAMESPACE);
    const storage = store.open();
    const { data } = large(1);
    const encoding = Buffer.from('binary/envelope-kms-v2');
    // Either the metadata is too long, or the header ends or begins after the first 16 KiB.
    const padded = [8_200, 16_300, 16_342, 16_400, 20_000].map((bytes): Payload => ({
      metadata: { encoding, pad: Buffer.alloc(bytes) },
      data: data!,
    }));
    const objects = await Promise.all(padded.map((payload) => store.store(payload)));
    const references = objects.map(({ object, bytes }) => referenceTo({ object, bytes, size: null }));
    const { report } = await scan([references], { storage });
    expect([report?.findings, report?.keys]).toEqual([[], []]);
    expect(report?.gaps).toMatchObject([{ reason: 'storage_altered', count: objects.length }]);
    expect(report?.gaps[0]?.objects?.map(({ object }) => object)).toEqual(
      objects.map(({ object }) => `directory://${BUCKET}/${object}`).toSorted(),
    );
    // Protobuf permits the fields in this other order, which no SDK writes.
    const [first, second] = [{ data: data! }, { metadata: { encoding } }].map(stored);
    const reversed = Buffer.concat([first!, second!]);
    const other = await scan([[await put(store.path, reversed)]], { storage });
    expect(other.report?.gaps).toMatchObject([{ reason: 'storage_altered' }]);
  });

  it.each([
    ['small', 0],
    ['large', 40_000],
  ])(
    'reports an object whose %s data is followed by a second data field, which a reader would decode instead',
    async (_, padding) => {
      const store = await startStore(NAMESPACE);
      const bytes = Buffer.concat([stored(large(2, padding)), stored({ data: large(1).data! })]);
      const { report } = await scan([[await put(store.path, bytes)]], { storage: store.open() });
      expect([report?.keys, report?.gaps]).toMatchObject([[], [{ reason: 'storage_altered' }]]);
    },
  );

  it('reports an object as unread if the store does not state its size', async () => {
    const store = await startStore(NAMESPACE);
    const storage = store.open();
    const { reference } = await store.store(large(1));
    const readStart = storage.readStart.bind(storage);
    storage.readStart = async (...args) => ({ ...(await readStart(...args)), objectSize: undefined });
    const { report } = await scan([[reference]], { storage });
    expect([report?.keys, report?.gaps]).toMatchObject([[], [{ reason: 'storage_unavailable' }]]);
  });

  it('requests an object again after a request was cancelled', async () => {
    const store = await startStore(NAMESPACE);
    const storage = store.open();
    const object = await store.store(large(7));
    const summary = summaryOfPayload(object.reference);
    const options = { storage, namespace: NAMESPACE, limiter, known: new Map() };
    const cancelled = new StoredObjects({ ...options, signal: AbortSignal.abort() });
    await expect(cancelled.resolve(summary)).rejects.toThrow();
    const { summary: resolved } = await new StoredObjects(options).resolve(summary);
    expect([...resolved.traits.keys()]).toEqual([expect.stringContaining('"version":7')]);
  });

  it('names a few of the objects that it could not read, but counts all of them', () => {
    const tally = new NamespaceTally([]);
    for (let n = 0; n < 1_000; n += 1) {
      const trait = { is: 'unread_object', object: `${n}`, reason: 'storage_not_found', message: `${n}` };
      tally.add(
        'closed',
        { workflowId: 'w' },
        { payloads: 1, traits: new Map([[JSON.stringify(trait), 2]]) },
      );
    }
    expect(tally.toPart().gaps).toMatchObject([
      {
        reason: 'storage_not_found',
        count: 2_000,
        objects: ['0', '1', '10', '100', '101'].map((object) => ({ object })),
      },
    ]);
  });

  it('reports an object that is deleted while the scan runs', async () => {
    const store = await startStore(NAMESPACE);
    const storage = store.open();
    const objects = await Promise.all([1, 2, 3].map((version) => store.store(large(version))));
    const { report, versions } = await scan(
      objects.map(({ reference }) => [reference]),
      { storage, onRequest: () => rmSync(join(store.path, objects[2]!.object), { force: true }) },
    );
    expect(versions.map(([version]) => version)).toEqual([1, 2]);
    expect(report?.gaps.map(({ reason }) => reason)).toEqual(['storage_not_found']);
    // These lines must name no workflow, because they may end up in a job's log.
    const lines = gapLines({ complete: false, namespaces: [report!] }).join('\n');
    expect([lines, lines.includes('/wi/')]).toEqual([
      expect.stringContaining(hashOf(objects[2]!.bytes)),
      false,
    ]);
  });

  it('reports plaintext in objects, and reports messages inside other codecs’ objects as a gap', async () => {
    const store = await startStore(NAMESPACE);
    const storage = store.open();
    const plain = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.alloc(30_000, 0x20) };
    const other = { metadata: { encoding: Buffer.from('binary/zlib') }, data: Buffer.alloc(30_000) };
    const objects = await Promise.all([plain, other].map((payload) => store.store(payload)));
    const nested = await store.store(objects[0]!.reference);
    const { report } = await scan([[...objects, nested].map(({ reference }) => reference)], { storage });
    expect(report?.findings.map(({ kind }) => kind)).toEqual(['plaintext']);
    expect(report?.gaps.map(({ kind, reason }) => [kind, reason])).toEqual([
      ['inner_layer', undefined],
      ['external_storage', 'malformed'],
    ]);
  });
});
