import { rmSync, writeFileSync } from 'node:fs';
import { createSecretKey } from 'node:crypto';
import {
  decodeFrame,
  type DecodeFrame,
  type DecodeResult,
  historyFrame,
  payloadRefOf,
  type PayloadStub,
  searchFrame,
} from '@temporal-kms/codec-api';
import { ObjectStorage } from '@temporal-kms/payload-storage';
import { pino } from 'pino';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { decodeFrames } from '../../src/history/decode-stream.ts';
import { MemoryBudget } from '../../src/memory.ts';
import { referenceInfo, Retrieval } from '../../src/storage/retrieval.ts';
import { SAMPLE_KEY, SampleCodec } from '../moving/support/codecs.ts';
import { anyNamespace, ana } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { lifetimeWith } from '../support/memory.ts';
import { signaled, temporalWith } from '../support/planted-run.ts';
import { RUN } from '../support/routes.ts';
import {
  appWith,
  headers,
  type Payload,
  keys,
  plain,
  post,
  recordedAudit,
  startKms,
} from '../support/stack.ts';
import { createStorage, referenceTo } from '../support/storage.ts';
import { lines } from '../support/temporal.ts';

afterEach(() => vi.useRealTimers());

const MiB = 2 ** 20;
const kms = forFile(
  await startKms({
    payments: {
      encrypt: keys.payments,
      reads: ['envelope-v2', 'static'],
      static: new Map([['test-key-id', createSecretKey(Buffer.from(SAMPLE_KEY))]]),
    },
    orders: { encrypt: keys.orders },
  }),
);
const store = createStorage();
const { storage } = store;

const sealed = async (
  value: unknown,
  context: { namespace: string; workflowId?: string },
): Promise<Payload> => {
  const { workflowId = 'w', namespace } = context;
  const [payload] = await kms.codec.encode([plain(value)], { type: 'workflow', namespace, workflowId });
  return payload!;
};
const stored = async (value: unknown): Promise<Payload> =>
  store.put(await sealed(value, { namespace: 'payments' }));
const proxied = async (payload: Payload): Promise<Payload> => (await new SampleCodec().encode([payload]))[0]!;

/** Payloads by name. Each payload is the input of a signal with the same name. */
const signals: Record<string, Payload> = {};
const events: object[] = [];
const refs: Record<string, string> = { memo: '1:1', input: '1:0', header: '1:2', failure: '' };

beforeAll(async () => {
  const inner = await stored('inner');
  Object.assign(signals, {
    encrypted: await stored('needle in an object'),
    proxied: await proxied(await store.put(plain('needle behind a proxy'))),
    plaintext: await store.put(plain('needle in plaintext')),
    otherWorkflow: await store.put(await sealed('x', { namespace: 'payments', workflowId: 'other' })),
    otherNamespace: await store.put(await sealed('x', { namespace: 'orders' })),
    outside: referenceTo(
      JSON.parse(String((await store.put(plain('x'), { namespace: 'orders' })).data)).claimData,
      9,
    ),
    otherDriver: referenceTo({ place: 'elsewhere' }, 9, 'acme.tape'),
    malformed: referenceTo({ bucket: 'acme-payloads', file: 'x' }),
    impossibleSize: referenceTo(JSON.parse(String((await stored('x')).data)).claimData, 2 ** 60),
    altered: await stored('altered'),
    deleted: await stored('deleted'),
    nested: await store.put(inner),
    nestedBehindProxy: await store.put(await proxied(inner)),
    inline: await sealed('needle inline', { namespace: 'payments' }),
  });
  writeFileSync(store.fileOf(signals['altered']!), 'x');
  rmSync(store.fileOf(signals['deleted']!));
  events.push({
    eventId: 1,
    eventType: 1,
    taskId: 1,
    workflowExecutionStartedEventAttributes: {
      input: { payloads: [await stored('needle input')] },
      memo: { fields: { customer: await stored('needle memo') } },
      header: { fields: { trace: await store.put(plain('needle header')) } },
    },
  });
  for (const [name, payload] of Object.entries(signals)) {
    refs[name] = `${events.length + 1}:0`;
    events.push(signaled(events.length + 1, payload));
  }
  refs['failure'] = `${events.length + 1}:0`;
  events.push({
    eventId: events.length + 1,
    eventType: 3,
    taskId: 1,
    workflowExecutionFailedEventAttributes: {
      failure: { message: 'Encoded failure', encodedAttributes: await stored({ message: 'needle failure' }) },
    },
  });
});

const appOf = (deps: Parameters<typeof appWith>[1] = {}) =>
  appWith(kms, { storage, temporal: temporalWith(events), ...deps });

async function decoded(app = appOf()): Promise<Record<string, DecodeResult>> {
  const response = await post(app, `${RUN}/payloads:decode`, { refs: Object.values(refs) });
  expect(response.status).toBe(200);
  const frames: DecodeFrame[] = await Array.fromAsync(lines(response, decodeFrame));
  expect(frames.at(-1)).toEqual({ type: 'end', reason: 'complete' });
  const byRef = new Map(
    frames.flatMap((frame) => ('ok' in frame ? [[String(frame.ref), frame] as const] : [])),
  );
  return Object.fromEntries(Object.entries(refs).map(([name, ref]) => [name, byRef.get(ref)!]));
}
const valueOf = (result: DecodeResult | undefined): unknown =>
  result?.ok ? JSON.parse(Buffer.from(result.payload.data, 'base64').toString()) : result?.reason;

const outcomes = {
  input: 'needle input',
  memo: 'needle memo',
  header: 'needle header',
  failure: { message: 'needle failure' },
  encrypted: 'needle in an object',
  proxied: 'needle behind a proxy',
  plaintext: 'needle in plaintext',
  otherWorkflow: 'workflow_mismatch',
  otherNamespace: 'namespace_mismatch',
  outside: 'storage_not_allowed',
  otherDriver: { driverName: 'acme.tape', claimData: { place: 'elsewhere' } },
  malformed: 'malformed',
  impossibleSize: 'malformed',
  altered: 'storage_altered',
  deleted: 'storage_not_found',
  nested: 'malformed',
  nestedBehindProxy: 'malformed',
  inline: 'needle inline',
};

describe('payloads:decode', () => {
  it('reads the object of a reference in any kind of field, and returns a separate result for each reference', async () => {
    const results = await decoded();
    const values = Object.fromEntries(
      Object.entries(results).map(([name, result]) => [name, valueOf(result)]),
    );
    expect(values).toEqual(outcomes);
    expect(results['encrypted']).toMatchObject({
      key: { name: keys.payments, version: 1 },
      retrieved: { format: 'envelope-v2', bytes: expect.any(Number) },
    });
    expect(results['plaintext']).toMatchObject({ warning: 'not_encrypted', retrieved: { format: 'plain' } });
    expect(results['header']).not.toHaveProperty('warning');
    expect(results['otherDriver']).toMatchObject({ ok: true, warning: 'external_reference' });
    for (const name of ['inline', 'otherDriver']) expect(results[name]).not.toHaveProperty('retrieved');
  });

  it('returns references to external storage unchanged if the server has no storage file', async () => {
    const results = await decoded(appOf({ storage: undefined }));
    for (const name of ['input', 'encrypted', 'outside', 'deleted'])
      expect(results[name]).toMatchObject({ ok: true, warning: 'external_reference' });
  });

  it('records in the audit every object that it reads, and no other object', async () => {
    const { audit, entries } = recordedAudit();
    const before = store.reads.length;
    await decoded(appOf({ audit }));
    const objects = entries.flatMap(({ object }) => object?.object ?? []);
    expect(objects.toSorted()).toEqual(store.reads.slice(before).toSorted());
    expect(entries.map(({ event }) => event)).toEqual(['intent', ...objects.map(() => 'object'), 'outcome']);
    expect(entries[1]).not.toHaveProperty('refs', expect.anything());
    expect(entries.at(-1)!.outcome).toMatchObject({
      refused: { storage_not_allowed: 1, storage_not_found: 1, storage_altered: 1, malformed: 4 },
    });
  });

  it('reads an object that takes two thirds of a request’s memory, but no larger object', async () => {
    const large = async (mebibytes: number) => {
      const data = Buffer.alloc(Math.floor(mebibytes * MiB), 7);
      const [payload] = await kms.codec.encode([{ metadata: {}, data }], { namespace: 'payments' });
      return await store.put(payload!);
    };
    const temporal = temporalWith([signaled(1, await large(0.9), await large(1.1))]);
    const response = await post(
      appOf({ temporal, memory: new MemoryBudget(2 * MiB) }),
      `${RUN}/payloads:decode`,
      { refs: ['1:0', '1:1'] },
    );
    const frames = await Array.fromAsync(lines(response, decodeFrame));
    const results = frames.flatMap((frame) => ('ok' in frame ? [[frame.ref, frame.ok || frame.reason]] : []));
    expect(Object.fromEntries(results)).toEqual({ '1:0': true, '1:1': 'too_large' });
  });

  it('waits until the caller may read more bytes, and ends the wait when the client disconnects', async () => {
    const large = await store.put({ metadata: {}, data: Buffer.alloc(MiB, 7) });
    const context = { type: 'workflow', namespace: 'payments', workflowId: 'w' } as const;
    const requests = Array.from({ length: 200 }, (_, n) => {
      const held = { payload: large, path: 'input.payloads[0]', encryptable: true, context };
      return { ref: payloadRefOf(1, n), bytes: 100, held, load: async () => held };
    });
    const memory = new MemoryBudget(64 * MiB);
    const gone = new AbortController();
    const allowance = {
      left: 20,
      take: () => ((allowance.left -= 1) >= 0 ? 0 : 60_000),
      settle: () => undefined,
    };
    const codec = {
      inspect: kms.codec.inspect.bind(kms.codec),
      plan: kms.codec.plan.bind(kms.codec),
      decrypt: kms.codec.decrypt.bind(kms.codec),
      retrieval: new Retrieval(storage, 'payments', allowance),
    };
    const before = store.reads.length;
    const log = pino({ level: 'silent' });
    const lifetime = lifetimeWith({ disconnected: gone.signal, memory });
    const results: DecodeFrame[] = [];
    for await (const frame of decodeFrames(codec, log, requests, lifetime, anyNamespace)) {
      results.push(frame);
      expect(memory.held).toBeLessThanOrEqual(64 * MiB);
      if (results.length === 20) gone.abort();
    }
    expect(results.every((frame) => 'ok' in frame && frame.ok)).toBe(true);
    expect([results.length, store.reads.length - before]).toEqual([20, 20]);
    await expect.poll(() => memory.held).toBe(0);
  });
});

describe('a reference’s stub', () => {
  it('states where the object is, how large it is, and whether the server can read it', async () => {
    const before = store.reads.length;
    const response = await appOf().request(`${RUN}/history`, { headers });
    const frames = await Array.fromAsync(lines(response, historyFrame));
    const stubs = frames
      .flatMap((frame) => (frame.type === 'events' ? frame.events : []))
      .flatMap((e) => e.payloads);
    const of = (name: string): PayloadStub => stubs.find(({ ref }) => ref === refs[name])!;
    const claim = JSON.parse(String(signals['encrypted']!.data)).claimData;
    expect(of('encrypted')).toMatchObject({
      format: 'external',
      stored: {
        driver: 'temporal-kms.directory',
        type: 'directory',
        bucket: 'acme-payloads',
        object: claim.file,
        bytes: Number(signals['encrypted']!.externalPayloads![0]!.sizeBytes),
        readable: true,
      },
    });
    expect(of('encrypted')).not.toHaveProperty('reason');
    expect(of('outside')).toMatchObject({
      reason: 'storage_not_allowed',
      stored: { readable: false, bytes: 9 },
    });
    expect(of('otherDriver')).toMatchObject({ reason: 'external_reference' });
    for (const name of ['malformed', 'impossibleSize'])
      expect(of(name)).toMatchObject({ reason: 'malformed' });
    for (const name of ['otherDriver', 'malformed', 'impossibleSize', 'inline', 'proxied'])
      expect(of(name)).not.toHaveProperty('stored');
    expect(store.reads.length).toBe(before);
    const bare = await appOf({ storage: undefined }).request(`${RUN}/history`, { headers });
    expect(await bare.text()).toContain('"readable":false');
  });

  it('names Cloud Storage as the store for a reference that Go’s driver wrote in the form of an S3 reference', () => {
    const bucket = 'acme-payloads';
    const archive = { type: 'gcs', bucket, driverName: 'archive', prefixes: ['v0/'] } as const;
    const objects = new ObjectStorage({ namespaces: new Map([['payments', [archive]]]) });
    const hash = 'ab'.repeat(32);
    const claim = { bucket, key: `v0/d/sha256/${hash}`, hash_algorithm: 'sha256', hash_value: hash };
    const reference = referenceTo(claim, 9, 'archive');
    expect(referenceInfo(reference, 'payments', { objects })?.stored).toMatchObject({
      type: 'gcs',
      readable: true,
    });
  });
});

describe('a search', () => {
  it('finds text in objects, and counts the objects that it could not read', async () => {
    const response = await post(appOf(), `${RUN}/history:search`, { text: 'needle' });
    const frames = await Array.fromAsync(lines(response, searchFrame));
    const hits = frames.flatMap((frame) => (frame.type === 'hit' ? [frame.ref as string] : []));
    const expected = Object.entries(outcomes).filter(([, value]) => JSON.stringify(value).includes('needle'));
    expect(hits.toSorted()).toEqual(expected.map(([name]) => refs[name]!).toSorted());
    expect(frames.some((frame) => frame.type === 'hit' && frame.stored)).toBe(true);
    expect(frames.at(-1)).toMatchObject({
      type: 'end',
      reason: 'complete',
      unreadable: { storage_not_allowed: 1, storage_not_found: 1, storage_altered: 1 },
    });
  });

  it('reads and records no further objects after it has reached a limit', async () => {
    const opened = Promise.withResolvers<void>();
    const slow = createStorage(() => opened.promise);
    const words = plain(Array.from({ length: 100 }, () => 'needle'));
    const many = Array.from({ length: 40 }, (_, n) => slow.put(plain(`object ${n}`)));
    const inputs = [...Array.from({ length: 10 }, () => words), ...(await Promise.all(many))];
    const temporal = temporalWith(inputs.map((payload, n) => signaled(n + 1, payload)));
    const { audit, entries } = recordedAudit();
    const app = appWith(kms, { storage: slow.storage, temporal, audit });
    const response = await post(app, `${RUN}/history:search`, { text: 'needle', order: 'oldest_first' });
    const frames = await Array.fromAsync(lines(response, searchFrame));
    expect(frames.at(-1)).toMatchObject({ type: 'end', reason: 'limit', after: 10 });
    expect(slow.inFlight.now).toBe(8);
    opened.resolve();
    await expect.poll(() => slow.inFlight.now).toBe(0);
    expect(slow.reads).toHaveLength(8);
    expect(entries.at(-1)!.event).toBe('outcome');
  });

  it('requires only the permission `search`', async () => {
    const access = ana({ payments: ['search'] });
    const response = await post(appOf({ access }), `${RUN}/history:search`, { text: 'needle' });
    expect(await response.text()).toContain('"type":"hit"');
  });
});

describe('an export', () => {
  it.each(['decoded', 'readable'])('contains the content of objects if its form is %s', async (form) => {
    const response = await post(appOf(), `${RUN}/history:export`, { form });
    const text = await response.text();
    const document = JSON.parse(text);
    expect(document).toBeTypeOf('object');
    const shown =
      form === 'decoded'
        ? Buffer.from(JSON.stringify('needle in an object')).toString('base64')
        : 'needle in an object';
    expect(text).toContain(shown);
    expect(text).toContain(
      form === 'decoded' ? Buffer.from('storage_not_found').toString('base64') : 'storage_not_found',
    );
  });

  it('contains the references if its form is `encoded`', async () => {
    const before = store.reads.length;
    const response = await post(appOf(), `${RUN}/history:export`, { form: 'encoded' });
    expect(await response.text()).toContain(Buffer.from(signals['encrypted']!.data!).toString('base64'));
    expect(store.reads.length).toBe(before);
  });

  it('reads no more bytes per minute than the caller may, even if the references state no sizes', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const large = createStorage();
    const content = { metadata: { encoding: Buffer.from('binary/plain') }, data: Buffer.alloc(MiB - 100, 1) };
    const reference = await large.put(content, { states: 'nothing' });
    const temporal = temporalWith(Array.from({ length: 20 }, (_, n) => signaled(n + 1, reference)));
    const app = appOf({ storage: large.storage, temporal, rates: { storageBytes: 8 * MiB } });
    const response = await post(app, `${RUN}/history:export`, { form: 'decoded' });
    const reader = response.body!.getReader();
    const all = (async () => {
      while (!(await reader.read()).done);
    })();
    // The store is asked for 20 sizes, and each request counts as 64 KiB.
    await expect.poll(() => large.reads.length).toBe(7);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(large.reads.length).toBe(7);
    await reader.cancel();
    await all;
  });

  it('reads at most eight objects at a time', async () => {
    // Holds the reads until eight are in flight, and a little longer.
    const opened = Promise.withResolvers<void>();
    const slow = createStorage(() => {
      if (slow.inFlight.now === 8) setTimeout(opened.resolve, 20);
      return opened.promise;
    });
    const many = await Promise.all(
      Array.from({ length: 60 }, async (_, n) => signaled(n + 1, await slow.put(plain(`object ${n}`)))),
    );
    const app = appWith(kms, { storage: slow.storage, temporal: temporalWith(many) });
    const text = await (await post(app, `${RUN}/history:export`, { form: 'readable' })).text();
    for (let n = 0; n < many.length; n += 1) expect(text).toContain(`"object ${n}"`);
    expect(slow.inFlight.most).toBe(8);
  });
});

describe('a stream that needs an object whose audit entry cannot be written', () => {
  it.each([
    ['payloads:decode', { refs: ['1:0'] }],
    ['history:search', { text: 'needle' }],
    ['history:export', { form: 'decoded' }],
    ['history:export', { form: 'readable' }],
  ])('fails in %s (%o), with an error about the audit, and reads no object', async (path, body) => {
    const { audit, entries } = recordedAudit(({ event }) => event !== 'object');
    const before = store.reads.length;
    const text = await (await post(appOf({ audit }), `${RUN}/${path}`, body)).text();
    expect(text).toContain('No audit.');
    expect(text).not.toMatch(/malformed|storage_unavailable/);
    expect(store.reads.length).toBe(before);
    expect(entries.at(-1)!.outcome).toMatchObject({ result: 'failed', payloads: 0 });
  });
});

describe('a history file', () => {
  it('is read with its objects in external storage, like a history in Temporal', async () => {
    const response = await post(appOf(), '/api/namespaces/payments/history-files:decode', {
      ...(await fileOf()),
      refs: [refs['encrypted'], refs['outside']],
    });
    const text = await response.text();
    expect([response.status, text]).toEqual([200, expect.stringContaining('"complete"')]);
    expect(text).toContain(Buffer.from('"needle in an object"').toString('base64'));
    expect(text).toContain('storage_not_allowed');
  });
});

/** Returns the run's events in the form of a request for a history file. */
async function fileOf(): Promise<object> {
  const text = await (await post(appOf(), `${RUN}/history:export`, { form: 'encoded' })).text();
  const { events: exported } = JSON.parse(text);
  return {
    workflowId: 'w',
    encoding: 'json',
    events: exported.map((event: unknown) => JSON.stringify(event)),
  };
}
