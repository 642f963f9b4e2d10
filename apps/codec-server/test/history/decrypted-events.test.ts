import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
/** A history whose events hold `many`, one each, a page each; every page is there at once. */
const reader = {
  read: async (_: unknown, from: number): Promise<any> => ({
    events: many.slice(from - 1, from + 9).map((payload, n) => ({
      eventId: from + n,
      eventType: 26,
      workflowExecutionSignaledEventAttributes: { input: { payloads: [payload] } },
    })),
    transient: [],
    complete: from + 10 > many.length,
  }),
};

test('a search tells how far it is', async () => {
  const slowly = {
    read: async (of: unknown, from: number) => {
      await delay(60);
      return reader.read(of, from);
    },
  };
  const frames = await collect(
    searchFrames({
      reader: slowly,
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

test('a search asks for 64 data keys at most, and says where to go on', async () => {
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
  expect(first.at(-1)).toMatchObject({ type: 'end', reason: 'limit', after: 64, events: 64 });
  expect(kms.emulator.calls.count('Decrypt') - before).toBe(64);
  expect((await search(64)).at(-1)).toMatchObject({ reason: 'complete', after: 100, events: 36 });
});

test.each(['search', 'export'] as const)(
  'a %s ends with the sign-in, whatever Cloud KMS is waited for',
  async (what) => {
    await using other = kms.another();
    const hangs: any = {
      inspect: other.codec.inspect.bind(other.codec),
      unopened: () => 1,
      open: () => new Promise(() => undefined),
    };
    const options = {
      reader,
      threads,
      codec: hangs,
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
    if (what === 'search') {
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
    expect(performance.now() - begun).toBeLessThan(1_000);
  },
);

test('an export sends nothing that waited to be sent when the sign-in ended', async () => {
  let opened = 0;
  const hangs: any = {
    inspect: kms.codec.inspect.bind(kms.codec),
    unopened: () => 1,
    open: async () => {
      opened += 1;
      return opened > 5 ? new Promise(() => undefined) : { payload: plain('secret'), info: {} };
    },
  };
  const single = {
    read: async (of: unknown, from: number) => {
      const read = await reader.read(of, from);
      return { ...read, events: read.events.slice(0, 1) };
    },
  };
  const pieces = await collect(
    exportChunks({
      reader: single,
      threads,
      codec: hangs,
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
        expiresAt: Date.now() + 100,
      }),
    }),
  );
  expect(opened).toBeGreaterThan(5);
  expect(pieces).toHaveLength(1);
  expect(pieces[0]!.text).not.toContain('secret');
  expect(pieces[0]!.text).toContain('"$truncated":{"reason":"signed_out","after":0}');
});

test('an export whose history lacks events is no complete one', async () => {
  const empty = { read: async () => ({ events: [], transient: [], complete: true }) };
  const pieces = await collect(
    exportChunks({
      reader: empty,
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
  expect(pieces.at(-1)).toMatchObject({ end: 'error', text: expect.stringContaining('$truncated') });
});
