import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportChunks } from '../../src/history/export.ts';
import { streamLifetime } from '../../src/history/stream-limits.ts';
import { searchFrames } from '../../src/history/search.ts';
import { anyNamespace } from '../support/callers.ts';
import { collect } from '../support/lines.ts';
import { type Kms, type Payload, plain, sealedApart, startKms, threads } from '../support/stack.ts';
import { memory } from '../support/memory.ts';

const never = new AbortController().signal;
const log = pino({ level: 'silent' });

let kms: Kms;
let many: Payload[];
beforeAll(async () => {
  kms = await startKms();
  many = await sealedApart(kms, 100);
});
afterAll(() => kms.close());

const run = { namespace: 'payments', workflowId: 'w', runId: 'r' };
const record = { ...anyNamespace, done: () => undefined, refused: () => undefined };
/** A history with one payload of `many` per event, in pages of ten events that are available at once. */
const reader = {
  read: async (_: unknown, from: number): Promise<any> => ({
    events: many
      .slice(from - 1, from + 9)
      .map((payload, n) => ({
        eventId: from + n,
        eventType: 26,
        workflowExecutionSignaledEventAttributes: { input: { payloads: [payload] } },
      })),
    transient: [],
    complete: from + 10 > many.length,
  }),
};

it('reports the progress of a search', async () => {
  const slowReader = {
    read: async (ofRun: unknown, from: number) => {
      await delay(60);
      return reader.read(ofRun, from);
    },
  };
  const frames = await collect(
    searchFrames({
      reader: slowReader,
      threads,
      codec: kms.codec,
      log,
      run,
      record,
      request: { text: 'nowhere', caseSensitive: false, order: 'oldest_first' },
      length: 60,
      lifetime: streamLifetime({ disconnected: never, stopping: never, maxMs: 60_000, memory }),
    }),
  );
  expect(frames[0]).toMatchObject({ type: 'progress', of: 60 });
  expect(frames.at(-1)).toMatchObject({ type: 'end', reason: 'complete', after: 60, hits: 0 });
});

it('ends a search after 64 Cloud KMS calls, with the event to continue from', async () => {
  await using other = kms.another();
  const search = (after: number) =>
    collect(
      searchFrames({
        reader,
        threads,
        codec: other.codec,
        log,
        run,
        record,
        request: { text: '"', caseSensitive: false, order: 'oldest_first', after },
        length: many.length,
        lifetime: streamLifetime({ disconnected: never, stopping: never, maxMs: 60_000, memory }),
      }),
    );
  const before = kms.emulator.calls.count('Decrypt');
  const first = await search(0);
  expect(first.at(-1)).toMatchObject({ type: 'end', reason: 'limit', after: 64, events: 64, kmsCalls: 64 });
  expect(kms.emulator.calls.count('Decrypt') - before).toBe(64);
  expect((await search(64)).at(-1)).toMatchObject({ reason: 'complete', after: 100, events: 36 });
});

it.each(['search', 'export'] as const)(
  'ends a %s when the token expires, even while Cloud KMS has not answered',
  async (operation) => {
    await using other = kms.another();
    const hanging: any = {
      inspect: other.codec.inspect.bind(other.codec),
      plan: () => ({ kmsCalls: 1 }),
      decrypt: () => new Promise(() => undefined),
    };
    const options = {
      reader,
      threads,
      codec: hanging,
      log,
      run,
      record,
      length: many.length,
      lifetime: streamLifetime({
        disconnected: never,
        stopping: never,
        maxMs: 60_000,
        memory,
        expiresAt: Date.now() + 100,
      }),
    };
    const begun = performance.now();
    if (operation === 'search') {
      const request = { text: 'x', caseSensitive: false, order: 'newest_first' as const };
      expect((await collect(searchFrames({ ...options, request }))).at(-1)).toMatchObject({
        reason: 'signed_out',
      });
    } else {
      expect((await collect(exportChunks({ ...options, form: 'decoded' }))).at(-1)).toMatchObject({
        end: 'signed_out',
        text: expect.stringContaining('$truncated'),
      });
    }
    expect(performance.now() - begun).toBeLessThan(10_000);
  },
);

it('drops exported text that was not sent before the token expired', async () => {
  let decrypted = 0;
  const hanging: any = {
    inspect: kms.codec.inspect.bind(kms.codec),
    plan: () => ({ kmsCalls: 1 }),
    decrypt: async () => {
      decrypted += 1;
      return decrypted > 5 ? new Promise(() => undefined) : { payload: plain('secret'), info: {} };
    },
  };
  const oneEventReader = {
    read: async (ofRun: unknown, from: number) => {
      const read = await reader.read(ofRun, from);
      return { ...read, events: read.events.slice(0, 1) };
    },
  };
  const chunks = await collect(
    exportChunks({
      reader: oneEventReader,
      threads,
      codec: hanging,
      log,
      run,
      record,
      form: 'readable',
      length: many.length,
      lifetime: streamLifetime({
        disconnected: never,
        stopping: never,
        maxMs: 60_000,
        memory,
        expiresAt: Date.now() + 2_000,
      }),
    }),
  );
  expect(decrypted).toBeGreaterThan(5);
  expect(chunks).toHaveLength(1);
  expect(chunks[0]!.text).not.toContain('secret');
  expect(chunks[0]!.text).toContain('"$truncated":{"reason":"signed_out","after":0}');
});

it('ends an export with an error if the history lacks events', async () => {
  const emptyReader = { read: async () => ({ events: [], transient: [], complete: true }) };
  const chunks = await collect(
    exportChunks({
      reader: emptyReader,
      threads,
      codec: kms.codec,
      log,
      run,
      record,
      form: 'encoded',
      length: 3,
      lifetime: streamLifetime({ disconnected: never, stopping: never, maxMs: 60_000, memory }),
    }),
  );
  expect(chunks.at(-1)).toMatchObject({ end: 'error', text: expect.stringContaining('$truncated') });
});

it('an export interrupted by a shutdown completes the current 12 MB payload, and states the reason in its last line', async () => {
  const stopping = new AbortController();
  const { signal } = stopping;
  const lifetime = streamLifetime({ disconnected: never, stopping: signal, maxMs: 60_000, memory });
  const input = { payloads: [{ data: Buffer.alloc(12_000_000) }] };
  const event = (eventId: number): any => ({
    eventId,
    eventType: 26,
    workflowExecutionSignaledEventAttributes: { input },
  });
  const two = { read: async () => ({ events: [event(1), event(2)], transient: [], complete: true }) };
  const options = { reader: two, threads, codec: kms.codec, log, run, record, length: 2, lifetime };
  let text = '';
  let end: string | undefined;
  for await (const chunk of exportChunks({ ...options, form: 'encoded' })) {
    text += chunk.text;
    end = chunk.end;
    if (text.length > 1_000_000) stopping.abort();
  }
  expect(end).toBe('shutdown');
  expect(text.length).toBeGreaterThan(16_000_000);
  expect(text.length).toBeLessThan(17_000_000);
  expect(text.endsWith('\n{"$truncated":{"reason":"shutdown","after":1}}\n')).toBe(true);
});
