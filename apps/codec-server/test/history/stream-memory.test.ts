import { type DecodeFrame, payloadRefOf } from '@temporal-kms/codec-api';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import proto from '@temporalio/proto';
import { pino } from 'pino';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeFrames } from '../../src/history/decode-stream.ts';
import type { StreamLifetime } from '../../src/history/stream-limits.ts';
import { workflowDescription } from '../../src/history/description.ts';
import { decryptEvents } from '../../src/history/decrypted-events.ts';
import { locatePayloads, type PayloadRequest } from '../../src/history/locate-payloads.ts';
import { MemoryBudget } from '../../src/memory.ts';
import { exportChunks } from '../../src/history/export.ts';
import { historyFrames } from '../../src/history/history-stream.ts';
import { HistoryReader } from '../../src/history/reader.ts';
import { searchFrames } from '../../src/history/search.ts';
import type { TemporalService } from '../../src/temporal/service.ts';
import { compressingCodec, zeros } from '../support/bombs.ts';
import { anyNamespace } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { lifetimeWith, never } from '../support/memory.ts';
import { pageOf, signaled, temporalWith } from '../support/planted-run.ts';
import { type Payload, startKms, threads } from '../support/stack.ts';

const { HistoryEvent } = proto.temporal.api.history.v1;
const MiB = 2 ** 20;
const context = { type: 'workflow', namespace: 'payments', workflowId: 'w' } as const;
const log = pino({ level: 'silent' });

const kms = forFile(await startKms());
const codec = forFile(compressingCodec(kms));
const encrypted = await codec.encode([zeros(MiB), zeros(4 * MiB)], {
  type: 'activity',
  namespace: 'payments',
});
const [oneMiB, fourMiB] = [encrypted[0]!, encrypted[1]!];

const decoded = (
  memory: MemoryBudget,
  requests: PayloadRequest[],
  disconnected: AbortSignal = never,
  by: KmsCodec = kms.codec,
) => decodeFrames(by, log, requests, lifetimeWith({ disconnected, memory }), anyNamespace);
const requestsFor = (payloads: readonly Payload[]): PayloadRequest[] =>
  payloads.map((payload, n) => {
    const held = { payload, path: 'input.payloads[0]', encryptable: true, context };
    return { ref: payloadRefOf(1, n), bytes: payload.data?.length ?? 0, held, load: async () => held };
  });
const streamOf = (memory: MemoryBudget, payloads: readonly Payload[], gone: AbortSignal = never) =>
  decoded(memory, requestsFor(payloads), gone, codec);
const times = (count: number, payload: Payload): Payload[] => Array.from({ length: count }, () => payload);
const reasons = (frames: readonly DecodeFrame[]): string[] =>
  frames.flatMap((frame) => ('ok' in frame ? [frame.ok ? 'ok' : frame.reason] : [frame.reason]));

describe('a stream that decrypts', () => {
  it('waits while other streams hold the memory, and then completes', async () => {
    // The memory suffices for little more than one payload, so 64 streams take turns.
    const memory = new MemoryBudget(16 * MiB, 10 * MiB);
    const streams = Array.from({ length: 64 }, () => Array.fromAsync(streamOf(memory, times(3, oneMiB))));
    for (const frames of await Promise.all(streams))
      expect(reasons(frames)).toEqual(['ok', 'ok', 'ok', 'complete']);
    expect(memory.held).toBe(0);
    expect(memory.waits).toBeGreaterThan(0);
  });

  it('reports `too_large` for a payload above the memory that one payload may take, and decodes the other payloads', async () => {
    const memory = new MemoryBudget(16 * MiB, 10 * MiB);
    const frames = await Array.fromAsync(streamOf(memory, [oneMiB, fourMiB, oneMiB]));
    expect(reasons(frames).toSorted()).toEqual(['complete', 'ok', 'ok', 'too_large']);
    expect(memory.held).toBe(0);
  });

  it('reserves memory for unread results, and releases it when the client disconnects', async () => {
    const memory = new MemoryBudget(16 * MiB, 10 * MiB);
    const gone = new AbortController();
    const slow = streamOf(memory, times(4, oneMiB), gone.signal);
    await slow.next();
    const other = Array.fromAsync(streamOf(memory, [oneMiB]));
    await expect.poll(() => memory.held).toBeGreaterThan(8 * MiB);
    gone.abort();
    await slow.return();
    expect(reasons(await other)).toEqual(['ok', 'complete']);
    await expect.poll(() => memory.held).toBe(0);
  });

  it('ends when the client disconnects, even while it waits for memory', async () => {
    const memory = new MemoryBudget(16 * MiB, 10 * MiB);
    const holder = memory.lease();
    holder.take(10 * MiB);
    memory.lease().take(6 * MiB);
    const gone = new AbortController();
    const waiting = Array.fromAsync(streamOf(memory, [oneMiB], gone.signal));
    await expect.poll(() => memory.waits).toBe(1);
    gone.abort();
    expect(await waiting).toEqual([]);
    holder.end();
    expect(memory.held).toBe(6 * MiB);
  });
});

describe('a stream of located payloads', () => {
  const run = { namespace: 'payments', workflowId: 'w', runId: 'r' };
  /** Sizes of the encrypted payloads in MiB. One payload exceeds the memory for copies. */
  const SIZES = [0.001, 1.5, 3, 9, 0.001, 1.5, 0, 3];
  const refs = SIZES.map((_, n) => payloadRefOf(n + 1, 0));
  let service: TemporalService;
  beforeAll(async () => {
    const home = { type: 'workflow', ...run } as const;
    const plain = SIZES.map((size) => ({ metadata: {}, data: Buffer.alloc(size * MiB, 65) }));
    const payloads = await kms.codec.encode(plain, home);
    const events = payloads.map((payload, n) => ({
      eventId: n + 1,
      eventType: 1,
      taskId: 1,
      workflowExecutionStartedEventAttributes: { input: { payloads: [payload] } },
    }));
    const memo = { fields: { a: payloads[1], b: payloads[2] } };
    const description: any = { workflowExecutionInfo: { historyLength: SIZES.length, memo } };
    service = temporalWith(events, { describe: async () => description });
  });

  const locate = (memory: MemoryBudget, wanted = refs, signal = never): Promise<Required<PayloadRequest>[]> =>
    locatePayloads(
      { temporal: service, reader: new HistoryReader(service, { maxBytes: 64 * MiB }), memory },
      run,
      wanted,
      signal,
    );
  it('copies payloads only within the memory for copies, and completes, even while other streams run', async () => {
    const memory = new MemoryBudget(160 * MiB);
    let most = 0;
    const streams = Array.from({ length: SIZES.length }, async (_, n) => {
      // The orders differ, so that each payload comes first in one stream.
      const wanted = [...refs.slice(n), ...refs.slice(0, n)];
      const codes: string[] = [];
      for await (const frame of decoded(memory, await locate(memory, wanted))) {
        most = Math.max(most, memory.copies.held);
        codes.push(...reasons([frame]));
      }
      return codes;
    });
    for (const codes of await Promise.all(streams))
      expect(codes).toEqual([...SIZES.map(() => 'ok'), 'complete']);
    // The pool is an eighth of 160 MiB. Only a payload larger than the pool may take more than the pool.
    expect(most).toBeLessThanOrEqual(20 * MiB);
    expect(memory.inUse).toBe(0);
  }, 60_000);

  it('holds no copy of a payload that comes after a payload that could not be copied', async () => {
    const memory = new MemoryBudget(64 * MiB, 60 * MiB);
    const requests = await locate(memory);
    // The fourth payload does not fit, although the fifth would.
    expect(requests.map(({ held }) => held !== undefined)).toEqual(SIZES.map((_, n) => n < 3));
    for (const { release } of requests) release();
    expect(memory.inUse).toBe(0);
  });

  it('reads a description’s payload again once there is memory for the payload', async () => {
    const memory = new MemoryBudget(160 * MiB);
    const { payloads } = await workflowDescription(
      await service.describe({}, never),
      'payments',
      kms.codec.inspect.bind(kms.codec),
      async () => undefined,
    );
    const all = memory.copies.take(memory.copies.bytes)!;
    const requests = await locate(
      memory,
      payloads.map(({ ref }) => ref),
    );
    expect(requests.map(({ held }) => held)).toEqual([undefined, undefined]);
    const frames = Array.fromAsync(decoded(memory, requests));
    all();
    expect(reasons(await frames)).toEqual(['ok', 'ok', 'complete']);
    expect(memory.inUse).toBe(0);
  });

  it('frees its copies when the client disconnects, even while it waits for memory', async () => {
    const memory = new MemoryBudget(160 * MiB);
    const gone = new AbortController();
    const located = await Promise.all(Array.from({ length: 8 }, () => locate(memory)));
    const held = memory.copies.held;
    expect(held).toBeGreaterThan(4 * MiB);
    memory.lease().take(memory.share);
    memory.lease().take(memory.common);
    const streams = located.map((requests) => Array.fromAsync(decoded(memory, requests, gone.signal)));
    await expect.poll(() => memory.waits).toBeGreaterThan(0);
    expect(memory.copies.held).toBeGreaterThanOrEqual(held);
    gone.abort();
    expect(await Promise.all(streams)).toEqual(streams.map(() => []));
    expect(memory.copies.held).toBe(0);
  });

  it('frees its copies if payloads cannot be located', async () => {
    const memory = new MemoryBudget(160 * MiB);
    await expect(
      locate(memory, [payloadRefOf(1, 0), payloadRefOf(2, 0), payloadRefOf(3, 7)]),
    ).rejects.toMatchObject({ code: 'bad_request' });
    expect(memory.inUse).toBe(0);
  });
});

it('never lets streams of ordered events deadlock while they wait for memory', async () => {
  const memory = new MemoryBudget(22 * MiB, 18 * MiB);
  const run = { namespace: 'payments', workflowId: 'w', runId: 'r' };
  const record = { ...anyNamespace, done: () => undefined, refused: () => undefined };
  const exported = async (): Promise<number[]> => {
    const events = Array.from({ length: 20 }, (_, n) =>
      HistoryEvent.fromObject({
        eventId: n + 1,
        workflowExecutionStartedEventAttributes: { input: { payloads: times(2, oneMiB) } },
      }),
    );
    async function* pages() {
      yield { events, release: () => undefined };
    }
    const eventIds: number[] = [];
    const options = { codec, log, run, record, lifetime: lifetimeWith({ memory }) };
    for await (const { eventId, payloads } of decryptEvents(options, pages())) {
      expect(payloads.every(({ result }) => result.ok)).toBe(true);
      eventIds.push(eventId);
    }
    return eventIds;
  };
  const inOrder = Array.from({ length: 20 }, (_, n) => n + 1);
  expect(await Promise.all(Array.from({ length: 8 }, exported))).toEqual(times(8, {}).map(() => inOrder));
  expect(memory.held).toBe(0);
});

describe('a stream of large pages', () => {
  const PAYLOADS = 7_500;
  const LENGTH = 3;
  const run = { namespace: 'payments', workflowId: 'w', runId: 'r' };
  const record = { ...anyNamespace, done: () => undefined, refused: () => undefined };
  /** A history with one event per page. Each event takes more memory than all pages together may hold. */
  const service: TemporalService = {
    ...temporalWith(Array.from({ length: LENGTH }, () => ({}))),
    history: async ({ nextPageToken }) => {
      const eventId = nextPageToken?.length ? Number(Buffer.from(nextPageToken)) : 1;
      const payloads = Array.from({ length: PAYLOADS }, () => ({ data: Buffer.from('a') }));
      return pageOf(
        [signaled(eventId, ...payloads)],
        eventId < LENGTH ? Buffer.from(String(eventId + 1)) : undefined,
      );
    },
  };
  const optionsOf = (memory: MemoryBudget, client: AbortSignal = never) => ({
    reader: new HistoryReader(service, { maxBytes: 16 * MiB }),
    threads,
    codec: kms.codec,
    inspect: kms.codec.inspect.bind(kms.codec),
    log,
    run,
    record,
    after: 0,
    length: LENGTH,
    live: false,
    // On a busy machine, a stream may wait longer than the default interval and then also send heartbeats.
    heartbeatMs: 600_000,
    lifetime: lifetimeWith({ disconnected: client, memory }),
  });

  it('waits while other streams’ pages hold the memory for pages, and then completes', async () => {
    const memory = new MemoryBudget(32 * MiB, 16 * MiB);
    const streams = Array.from({ length: 8 }, () => historyFrames(optionsOf(memory)));
    const sent: string[] = [];
    const first = streams.map(async (stream) => {
      const { value } = await stream.next();
      if (value) sent.push(value.type);
    });
    await expect.poll(() => memory.waits).toBe(7);
    await expect.poll(() => sent).toEqual(['events']);
    expect(memory.held).toBe(memory.pageShare);
    const rest = await Promise.all(
      streams.map(async (stream, n) => {
        await first[n];
        return Array.fromAsync(stream);
      }),
    );
    expect(sent).toHaveLength(8);
    for (const frames of rest) expect(frames.map(({ type }) => type)).toEqual(['events', 'events', 'end']);
    expect(memory.held).toBe(0);
  });

  it.each(['encoded', 'decoded', 'readable'] as const)(
    'completes if it is an export in the form %s',
    async (form) => {
      const memory = new MemoryBudget(32 * MiB, 16 * MiB);
      const exports = await Promise.all(
        Array.from({ length: 2 }, () => Array.fromAsync(exportChunks({ ...optionsOf(memory), form }))),
      );
      for (const chunks of exports) expect(chunks.at(-1)?.end).toBe('complete');
      expect(memory.waits).toBeGreaterThan(0);
      expect(memory.held).toBe(0);
    },
  );

  it.each(['newest_first', 'oldest_first'] as const)(
    'completes if it is a search in the order %s',
    async (order) => {
      const memory = new MemoryBudget(32 * MiB, 16 * MiB);
      const request = { text: 'nothing', caseSensitive: false, order };
      const searches = await Promise.all(
        Array.from({ length: 2 }, () => Array.fromAsync(searchFrames({ ...optionsOf(memory), request }))),
      );
      for (const frames of searches)
        expect(frames.at(-1)).toMatchObject({ reason: 'complete', payloads: LENGTH * PAYLOADS });
      expect(memory.waits).toBeGreaterThan(0);
      expect(memory.held).toBe(0);
    },
  );

  it('releases the page once the requested payloads are located', async () => {
    const memory = new MemoryBudget(32 * MiB, 16 * MiB);
    const { reader } = optionsOf(memory);
    const requests = await locatePayloads(
      { temporal: service, reader, memory },
      run,
      [payloadRefOf(1, 0), payloadRefOf(3, 0)],
      never,
    );
    expect(requests.map(({ ref }) => ref)).toEqual(['1:0', '3:0']);
    expect(memory.held).toBe(0);
  });

  it('ends when the client disconnects, even while it waits for memory', async () => {
    const memory = new MemoryBudget(32 * MiB, 16 * MiB);
    const holder = memory.pageLease();
    void holder.wait(memory.pageShare, never);
    const client = new AbortController();
    const frames = Array.fromAsync(historyFrames(optionsOf(memory, client.signal)));
    await expect.poll(() => memory.waits).toBe(1);
    client.abort();
    expect(await frames).toEqual([]);
    expect(memory.held).toBe(memory.pageShare);
  });

  it('calls `checkpoint` for each payload of an event', async () => {
    const memory = new MemoryBudget(256 * MiB);
    const options = optionsOf(memory);
    for (const stream of [
      (lifetime: StreamLifetime) => historyFrames({ ...options, lifetime }),
      ...(['encoded', 'decoded', 'readable'] as const).map(
        (form) => (lifetime: StreamLifetime) => exportChunks({ ...options, lifetime, form }),
      ),
    ]) {
      let checkpoints = 0;
      const checkpoint = async (): Promise<void> => void (checkpoints += 1);
      for await (const _ of stream({ ...options.lifetime, checkpoint }));
      expect(checkpoints).toBeGreaterThanOrEqual(PAYLOADS);
    }
  });
});
