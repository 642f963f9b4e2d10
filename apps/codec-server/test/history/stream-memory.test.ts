import type { DecodeFrame } from '@temporal-kms/codec-api';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import proto from '@temporalio/proto';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeFrames } from '../../src/history/decode-stream.ts';
import { streamLifetime } from '../../src/history/stream-limits.ts';
import { decryptEvents } from '../../src/history/decrypted-events.ts';
import type { PayloadRequest } from '../../src/history/locate-payloads.ts';
import { MemoryBudget } from '../../src/memory/budget.ts';
import { compressingCodec, zeros } from '../support/bombs.ts';
import { anyNamespace } from '../support/callers.ts';
import { collect } from '../support/lines.ts';
import { type Kms, type Payload, startKms } from '../support/stack.ts';

const { HistoryEvent } = proto.temporal.api.history.v1;
const MiB = 2 ** 20;
const context = { type: 'workflow', namespace: 'payments', workflowId: 'w' } as const;
const never = new AbortController().signal;
const log = pino({ level: 'silent' });

let kms: Kms;
let codec: KmsCodec;
let oneMiB: Payload;
let fourMiB: Payload;
beforeAll(async () => {
  kms = await startKms();
  codec = compressingCodec(kms);
  const encrypted = await codec.encode([zeros(MiB), zeros(4 * MiB)], {
    type: 'activity',
    namespace: 'payments',
  });
  [oneMiB, fourMiB] = [encrypted[0]!, encrypted[1]!];
});
afterAll(async () => {
  await codec.close();
  await kms.close();
});

const requestsFor = (payloads: readonly Payload[]): PayloadRequest[] =>
  payloads.map((payload, n) => {
    const held = { payload, path: 'input.payloads[0]', encryptable: true, context };
    return { ref: `1:${n}`, bytes: payload.data?.length ?? 0, held, load: async () => held };
  });
const streamOf = (memory: MemoryBudget, payloads: readonly Payload[], gone: AbortSignal = never) =>
  decodeFrames(
    codec,
    log,
    requestsFor(payloads),
    streamLifetime({ disconnected: gone, stopping: never, maxMs: 20_000, memory }),
    anyNamespace,
  );
const times = (count: number, payload: Payload): Payload[] => Array.from({ length: count }, () => payload);
const reasons = (frames: readonly DecodeFrame[]): string[] =>
  frames.flatMap((frame) => ('ok' in frame ? [frame.ok ? 'ok' : frame.reason] : [frame.reason]));

describe('a stream that decrypts', () => {
  it('waits for memory while others hold it, and completes', async () => {
    // Memory for little more than one payload: 64 streams take turns.
    const memory = new MemoryBudget(16 * MiB, 10 * MiB);
    const streams = Array.from({ length: 64 }, () => collect(streamOf(memory, times(3, oneMiB))));
    for (const frames of await Promise.all(streams))
      expect(reasons(frames)).toEqual(['ok', 'ok', 'ok', 'complete']);
    expect(memory.held).toBe(0);
    expect(memory.waits).toBeGreaterThan(0);
  });

  it('reports too_large for a payload that exceeds the share of one payload, and decodes the others', async () => {
    const memory = new MemoryBudget(16 * MiB, 10 * MiB);
    const frames = await collect(streamOf(memory, [oneMiB, fourMiB, oneMiB]));
    expect(reasons(frames).toSorted()).toEqual(['complete', 'ok', 'ok', 'too_large']);
    expect(memory.held).toBe(0);
  });

  it('holds the memory of results not yet read, and releases it when the client disconnects', async () => {
    const memory = new MemoryBudget(16 * MiB, 10 * MiB);
    const gone = new AbortController();
    const slow = streamOf(memory, times(4, oneMiB), gone.signal);
    await slow.next();
    const other = collect(streamOf(memory, [oneMiB]));
    await expect.poll(() => memory.held).toBeGreaterThan(8 * MiB);
    gone.abort();
    await slow.return();
    expect(reasons(await other)).toEqual(['ok', 'complete']);
    await expect.poll(() => memory.held).toBe(0);
  });

  it('ends while it waits for memory when the client disconnects', async () => {
    const memory = new MemoryBudget(16 * MiB, 10 * MiB);
    const holder = memory.lease();
    holder.take(10 * MiB);
    memory.lease().take(6 * MiB);
    const gone = new AbortController();
    const waiting = collect(streamOf(memory, [oneMiB], gone.signal));
    await expect.poll(() => memory.waits).toBe(1);
    gone.abort();
    expect(await waiting).toEqual([]);
    holder.end();
    expect(memory.held).toBe(6 * MiB);
  });
});

it('never deadlocks when streams of ordered events wait for memory', async () => {
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
      yield events;
    }
    const eventIds: number[] = [];
    const options = {
      codec,
      log,
      run,
      record,
      lifetime: streamLifetime({ disconnected: never, stopping: never, maxMs: 20_000, memory }),
    };
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
