import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeFrames, inCompletionOrder } from '../../src/history/decode-stream.ts';
import { streamLifetime } from '../../src/history/stream-limits.ts';
import type { PayloadRequest } from '../../src/history/locate-payloads.ts';
import { anyNamespace } from '../support/callers.ts';
import { collect } from '../support/lines.ts';
import { type Kms, type Payload, plain, sealedApart, startKms } from '../support/stack.ts';
import { memory } from '../support/memory.ts';

const context = { type: 'workflow', namespace: 'payments', workflowId: 'w' } as const;
const never = new AbortController().signal;
const unending = {
  signal: never,
  interruption: () => undefined,
  checkpoint: async () => undefined,
  memory,
};
const log = pino({ level: 'silent' });

const requestsFor = (payloads: readonly Payload[]): PayloadRequest[] =>
  payloads.map((payload, n) => {
    const held = { payload, path: 'input.payloads[0]', encryptable: true, context };
    return { ref: `1:${n}`, bytes: payload.data?.length ?? 0, held, load: async () => held };
  });

let kms: Kms;
let many: Payload[];
beforeAll(async () => {
  kms = await startKms();
  many = await sealedApart(kms, 100);
});
afterAll(() => kms.close());

test('a request waits for 64 data keys at most; asked again for the rest, it opens it', async () => {
  await using other = kms.another();
  const before = kms.emulator.calls.rows().length;
  const first = await collect(decodeFrames(other.codec, log, requestsFor(many), unending, anyNamespace));
  expect(first.filter((frame) => 'ok' in frame && frame.ok)).toHaveLength(64);
  expect(first.at(-1)).toEqual({ type: 'end', reason: 'limit' });
  expect(kms.emulator.calls.rows().length - before).toBeLessThanOrEqual(64);
  const second = await collect(decodeFrames(other.codec, log, requestsFor(many), unending, anyNamespace));
  expect(second.filter((frame) => 'ok' in frame && frame.ok)).toHaveLength(100);
  expect(second.at(-1)).toEqual({ type: 'end', reason: 'complete' });
});

test('data keys of inner layers count for the same limit; asked again, it opens the rest', async () => {
  const layered = await kms.codec.encode(many, context);
  await using other = kms.another();
  const before = kms.emulator.calls.count('Decrypt');
  const first = await collect(decodeFrames(other.codec, log, requestsFor(layered), unending, anyNamespace));
  expect(first.filter((frame) => 'ok' in frame && frame.ok)).toHaveLength(63);
  expect(first.at(-1)).toEqual({ type: 'end', reason: 'limit' });
  expect(kms.emulator.calls.count('Decrypt') - before).toBe(64);
  const second = await collect(decodeFrames(other.codec, log, requestsFor(layered), unending, anyNamespace));
  expect(second.filter((frame) => 'ok' in frame && frame.ok)).toHaveLength(100);
  expect(second.at(-1)).toEqual({ type: 'end', reason: 'complete' });
});

test('200 payloads under one data key are no more than one', async () => {
  await using other = kms.another();
  const same = await kms.codec.encode(
    Array.from({ length: 200 }, (_, n) => plain(n)),
    context,
  );
  const all = await collect(decodeFrames(other.codec, log, requestsFor(same), unending, anyNamespace));
  expect(all).toHaveLength(201);
  expect(all.at(-1)).toEqual({ type: 'end', reason: 'complete' });
});

test('payloads that the request does not hold may each be under any data key', async () => {
  await using other = kms.another();
  const before = kms.emulator.calls.count('Decrypt');
  const unheld = requestsFor(many).map((one): PayloadRequest => ({
    ref: one.ref,
    bytes: one.bytes,
    load: (signal) => one.load(signal),
  }));
  const frames = await collect(decodeFrames(other.codec, log, unheld, unending, anyNamespace));
  expect(frames).toHaveLength(65);
  expect(frames.at(-1)).toEqual({ type: 'end', reason: 'limit' });
  expect(kms.emulator.calls.count('Decrypt') - before).toBe(64);
});

test('nothing is given after the sign-in where no timer could fire', async () => {
  const busy: any = {
    inspect: kms.codec.inspect.bind(kms.codec),
    unopened: () => 1,
    open: async (payload: Payload) => {
      const until = performance.now() + 5;
      while (performance.now() < until);
      return { payload, info: {} };
    },
  };
  const ended = streamLifetime({
    disconnected: never,
    stopping: never,
    maxMs: 60_000,
    memory,
    expiresAt: Date.now() + 50,
  });
  const frames = await collect(decodeFrames(busy, log, requestsFor(many), ended, anyNamespace));
  expect(frames.at(-1)).toEqual({ type: 'end', reason: 'signed_out' });
  expect(frames.length).toBeLessThan(40);
});

test('a payload that needs more than the limit by itself is opened all the same', async () => {
  const costly: any = {
    inspect: kms.codec.inspect.bind(kms.codec),
    unopened: () => 65,
    open: async (payload: Payload) => ({ payload, info: {} }),
  };
  const frames = await collect(
    decodeFrames(costly, log, requestsFor(many.slice(0, 1)), unending, anyNamespace),
  );
  expect(frames).toMatchObject([{ ok: true }, { type: 'end', reason: 'complete' }]);
});

test('payloads of several workflows count each in its own', async () => {
  const bound = await Promise.all(
    Array.from({ length: 80 }, async (_, n): Promise<PayloadRequest> => {
      await using writer = kms.another();
      const own = { ...context, workflowId: `child-${n}` };
      const [payload] = await writer.codec.encode([plain(n)], own);
      const held = { payload: payload!, path: 'input.payloads[0]', encryptable: true, context: own };
      return { ref: `1:${n}`, bytes: 1, held, load: async () => held };
    }),
  );
  await using other = kms.another();
  const before = kms.emulator.calls.count('Decrypt');
  const frames = await collect(decodeFrames(other.codec, log, bound, unending, anyNamespace));
  expect(frames.at(-1)).toEqual({ type: 'end', reason: 'limit' });
  expect(kms.emulator.calls.count('Decrypt') - before).toBe(64);
});

test('gives each result once, those that are ready first', async () => {
  const gates = new Map([0, 1, 2].map((n) => [n, Promise.withResolvers<number>()] as const));
  const results = inCompletionOrder([0, 1, 2], {
    start: (n) => gates.get(n)!.promise,
    weigh: () => 1,
    limit: 10,
  });
  gates.get(2)!.resolve(2);
  expect((await results.next()).value).toBe(2);
  gates.get(0)!.resolve(0);
  expect((await results.next()).value).toBe(0);
  gates.get(1)!.resolve(1);
  expect(await collect(results)).toEqual([1]);
});

test('starts no more than the limit holds, counting what has not been taken', async () => {
  let started = 0;
  const start = async (n: number): Promise<number> => {
    started += 1;
    return n;
  };
  const results = inCompletionOrder(
    Array.from({ length: 10 }, (_, n) => n),
    { start, weigh: () => 4, limit: 8 },
  );
  await results.next();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(started).toBe(2);
  expect(await collect(results)).toHaveLength(9);
});

test('starts one that alone is heavier than the limit', async () => {
  const results = inCompletionOrder([1, 2], { start: async (n) => n, weigh: () => 100, limit: 8 });
  expect(await collect(results)).toEqual([1, 2]);
});

test('ends at once when there is nothing to do', async () => {
  expect(await collect(inCompletionOrder([], { start: async () => 1, weigh: () => 1, limit: 1 }))).toEqual(
    [],
  );
});
