import { setTimeout as delay } from 'node:timers/promises';
import type { SearchRequest } from '@temporal-kms/codec-api';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { exportChunks } from '../../src/history/export.ts';
import type { StreamLifetime } from '../../src/history/stream-limits.ts';
import { searchFrames } from '../../src/history/search.ts';
import { anyNamespace } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { signaled } from '../support/planted-run.ts';
import { plain, sealedApart, startKms, threads } from '../support/stack.ts';
import { lifetimeWith } from '../support/memory.ts';

const log = pino({ level: 'silent' });

const kms = forFile(await startKms());
const many = await sealedApart(kms, 100);

/**
 * A history in pages of ten events, which are available immediately. Each event has one of the payloads in
 * `many`.
 */
const reader = {
  read: async (_: unknown, from: number): Promise<any> => ({
    events: many.slice(from - 1, from + 9).map((payload, n) => signaled(from + n, payload)),
    transient: [],
    complete: from + 10 > many.length,
  }),
};

/** Returns the options for a stream of this history. */
const options = () => ({
  reader,
  threads,
  codec: kms.codec,
  log,
  run: { namespace: 'payments', workflowId: 'w', runId: 'r' },
  record: { ...anyNamespace, done: () => undefined, refused: () => undefined },
  length: many.length,
  lifetime: lifetimeWith(),
});
const searched = (request: Partial<SearchRequest>, more: object = {}) => {
  const all = { text: 'nowhere', caseSensitive: false, order: 'oldest_first', ...request } as const;
  return Array.fromAsync(searchFrames({ ...options(), request: all, ...more }));
};

it('reports the progress of a search', async () => {
  const slowReader = {
    read: async (ofRun: unknown, from: number) => {
      await delay(60);
      return reader.read(ofRun, from);
    },
  };
  const frames = await searched({}, { reader: slowReader, length: 60 });
  expect(frames[0]).toMatchObject({ type: 'progress', of: 60 });
  expect(frames.at(-1)).toMatchObject({ type: 'end', reason: 'complete', after: 60, hits: 0 });
});

it('ends a search after 64 Cloud KMS calls, with the event to continue from', async () => {
  await using other = kms.another();
  const search = (after: number) => searched({ text: '"', after }, { codec: other.codec });
  const before = kms.emulator.calls.count('Decrypt');
  const first = await search(0);
  expect(first.at(-1)).toMatchObject({ type: 'end', reason: 'limit', after: 64, events: 64, kmsCalls: 64 });
  expect(kms.emulator.calls.count('Decrypt') - before).toBe(64);
  expect((await search(64)).at(-1)).toMatchObject({ reason: 'complete', after: 100, events: 36 });
});

it.each(['search', 'export'] as const)(
  'ends a %s when the token expires, even while a Cloud KMS call is in flight',
  async (operation) => {
    await using other = kms.another();
    const hanging: any = {
      inspect: other.codec.inspect.bind(other.codec),
      plan: () => ({ kmsCalls: 1 }),
      decrypt: () => new Promise(() => undefined),
    };
    const expiring = { codec: hanging, lifetime: lifetimeWith({ expiresAt: Date.now() + 100 }) };
    const begun = performance.now();
    if (operation === 'search') {
      const frames = await searched({ order: 'newest_first' }, expiring);
      expect(frames.at(-1)).toMatchObject({ reason: 'signed_out' });
    } else {
      const chunks = await Array.fromAsync(exportChunks({ ...options(), ...expiring, form: 'decoded' }));
      expect(chunks.at(-1)).toMatchObject({ end: 'signed_out', text: expect.stringContaining('$truncated') });
    }
    expect(performance.now() - begun).toBeLessThan(10_000);
  },
);

it('discards exported text that was not sent before the token expired', async () => {
  const expiry = new AbortController();
  const lifetime: StreamLifetime = {
    ...lifetimeWith(),
    signal: expiry.signal,
    interruption: () => (expiry.signal.aborted ? 'signed_out' : undefined),
  };
  let decrypted = 0;
  const hanging: any = {
    inspect: kms.codec.inspect.bind(kms.codec),
    plan: () => ({ kmsCalls: 1 }),
    decrypt: async () => {
      decrypted += 1;
      if (decrypted <= 5) return { payload: plain('secret'), info: {} };
      expiry.abort();
      return new Promise(() => undefined);
    },
  };
  const oneEventReader = {
    read: async (ofRun: unknown, from: number) => {
      const read = await reader.read(ofRun, from);
      return { ...read, events: read.events.slice(0, 1) };
    },
  };
  const interrupted = { ...options(), reader: oneEventReader, codec: hanging, lifetime };
  const chunks = await Array.fromAsync(exportChunks({ ...interrupted, form: 'readable' }));
  expect(decrypted).toBeGreaterThan(5);
  expect(chunks).toHaveLength(1);
  expect(chunks[0]!.text).not.toContain('secret');
  expect(chunks[0]!.text).toContain('"$truncated":{"reason":"signed_out","after":0}');
});

it('ends an export with an error if the history lacks events', async () => {
  const emptyReader = { read: async () => ({ events: [], transient: [], complete: true }) };
  const chunks = await Array.fromAsync(exportChunks({ ...options(), reader: emptyReader, form: 'encoded' }));
  expect(chunks.at(-1)).toMatchObject({ end: 'error', text: expect.stringContaining('$truncated') });
});

it('completes the current 12 MB payload of an export at a shutdown, and states the reason in the last line', async () => {
  const stopping = new AbortController();
  const lifetime = lifetimeWith({ stopping: stopping.signal });
  const events: any[] = [1, 2].map((eventId) => signaled(eventId, { data: Buffer.alloc(12_000_000) }));
  const two = { read: async () => ({ events, transient: [], complete: true }) };
  let text = '';
  let end: string | undefined;
  for await (const chunk of exportChunks({
    ...options(),
    reader: two,
    length: 2,
    lifetime,
    form: 'encoded',
  })) {
    text += chunk.text;
    end = chunk.end;
    if (text.length > 1_000_000) stopping.abort();
  }
  expect(end).toBe('shutdown');
  expect(text.length).toBeGreaterThan(16_000_000);
  expect(text.length).toBeLessThan(17_000_000);
  expect(text.endsWith('\n{"$truncated":{"reason":"shutdown","after":1}}\n')).toBe(true);
});
