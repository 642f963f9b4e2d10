import { payloadRefOf } from '@temporal-kms/codec-api';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { decodeFrames, inCompletionOrder } from '../../src/history/decode-stream.ts';
import type { StreamLifetime } from '../../src/history/stream-limits.ts';
import type { PayloadRequest } from '../../src/history/locate-payloads.ts';
import { anyNamespace } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { type Payload, plain, sealedApart, startKms } from '../support/stack.ts';
import { lifetimeWith, memory, never } from '../support/memory.ts';

const context = { type: 'workflow', namespace: 'payments', workflowId: 'w' } as const;
const unlimited = { signal: never, interruption: () => undefined, checkpoint: async () => undefined, memory };
const log = pino({ level: 'silent' });

const requestsFor = (payloads: readonly Payload[]): PayloadRequest[] =>
  payloads.map((payload, n) => {
    const held = { payload, path: 'input.payloads[0]', encryptable: true, context };
    return { ref: payloadRefOf(1, n), bytes: payload.data?.length ?? 0, held, load: async () => held };
  });

const kms = forFile(await startKms());
const many = await sealedApart(kms, 100);
const decoded = (codec: KmsCodec, requests: PayloadRequest[], lifetime: StreamLifetime = unlimited) =>
  Array.fromAsync(decodeFrames(codec, log, requests, lifetime, anyNamespace));

describe('decodeFrames', () => {
  it('makes at most 64 Cloud KMS calls per request, and decodes the rest if the request is repeated', async () => {
    await using other = kms.another();
    const before = kms.emulator.calls.rows().length;
    const first = await decoded(other.codec, requestsFor(many));
    expect(first.filter((frame) => 'ok' in frame && frame.ok)).toHaveLength(64);
    expect(first.at(-1)).toEqual({ type: 'end', reason: 'limit' });
    expect(kms.emulator.calls.rows().length - before).toBeLessThanOrEqual(64);
    const second = await decoded(other.codec, requestsFor(many));
    expect(second.filter((frame) => 'ok' in frame && frame.ok)).toHaveLength(100);
    expect(second.at(-1)).toEqual({ type: 'end', reason: 'complete' });
  });

  it('counts the wrapped keys of inner layers towards the limit of Cloud KMS calls', async () => {
    const layered = await kms.codec.encode(many, context);
    await using other = kms.another();
    const before = kms.emulator.calls.count('Decrypt');
    const first = await decoded(other.codec, requestsFor(layered));
    expect(first.filter((frame) => 'ok' in frame && frame.ok)).toHaveLength(63);
    expect(first.at(-1)).toEqual({ type: 'end', reason: 'limit' });
    expect(kms.emulator.calls.count('Decrypt') - before).toBe(64);
    const second = await decoded(other.codec, requestsFor(layered));
    expect(second.filter((frame) => 'ok' in frame && frame.ok)).toHaveLength(100);
    expect(second.at(-1)).toEqual({ type: 'end', reason: 'complete' });
  });

  it.each([
    ['one data key', {}],
    ['as many data keys of one branch key', { softMessages: 1 }],
  ])('counts one Cloud KMS call for 200 payloads under %s', async (_, limits) => {
    await using writer = kms.another(limits);
    await using other = kms.another();
    const payloads = await writer.codec.encode(
      Array.from({ length: 200 }, (__, n) => plain(n)),
      context,
    );
    const before = kms.emulator.calls.count('Decrypt');
    const all = await decoded(other.codec, requestsFor(payloads));
    expect(all).toHaveLength(201);
    expect(all.at(-1)).toEqual({ type: 'end', reason: 'complete' });
    expect(kms.emulator.calls.count('Decrypt') - before).toBe(1);
  });

  it('counts one Cloud KMS call for each payload that has not been read yet', async () => {
    await using other = kms.another();
    const before = kms.emulator.calls.count('Decrypt');
    const notHeld = requestsFor(many).map((one): PayloadRequest => ({
      ref: one.ref,
      bytes: one.bytes,
      load: (signal) => one.load(signal),
    }));
    const frames = await decoded(other.codec, notHeld);
    expect(frames).toHaveLength(65);
    expect(frames.at(-1)).toEqual({ type: 'end', reason: 'limit' });
    expect(kms.emulator.calls.count('Decrypt') - before).toBe(64);
  });

  it('sends no result after the token has expired, even if no timer could fire', async () => {
    const busy: any = {
      inspect: kms.codec.inspect.bind(kms.codec),
      plan: () => ({ kmsCalls: 1 }),
      decrypt: async (payload: Payload) => {
        const until = performance.now() + 5;
        while (performance.now() < until);
        return { payload, info: {} };
      },
    };
    const expiring = lifetimeWith({ expiresAt: Date.now() + 50 });
    const frames = await decoded(busy, requestsFor(many), expiring);
    expect(frames.at(-1)).toEqual({ type: 'end', reason: 'signed_out' });
    expect(frames.length).toBeLessThan(40);
  });

  it('decrypts a single payload even if it needs more Cloud KMS calls than the limit', async () => {
    const expensive: any = {
      inspect: kms.codec.inspect.bind(kms.codec),
      plan: () => ({ kmsCalls: 65 }),
      decrypt: async (payload: Payload) => ({ payload, info: {} }),
    };
    const frames = await decoded(expensive, requestsFor(many.slice(0, 1)));
    expect(frames).toMatchObject([{ ok: true }, { type: 'end', reason: 'complete' }]);
  });

  it("counts the Cloud KMS calls for each workflow's payloads in that workflow's context", async () => {
    const bound = await Promise.all(
      Array.from({ length: 80 }, async (_, n): Promise<PayloadRequest> => {
        await using writer = kms.another();
        const own = { ...context, workflowId: `child-${n}` };
        const [payload] = await writer.codec.encode([plain(n)], own);
        const held = { payload: payload!, path: 'input.payloads[0]', encryptable: true, context: own };
        return { ref: payloadRefOf(1, n), bytes: 1, held, load: async () => held };
      }),
    );
    await using other = kms.another();
    const before = kms.emulator.calls.count('Decrypt');
    const frames = await decoded(other.codec, bound);
    expect(frames.at(-1)).toEqual({ type: 'end', reason: 'limit' });
    expect(kms.emulator.calls.count('Decrypt') - before).toBe(64);
  });
});

describe('inCompletionOrder', () => {
  it('yields each result once, as it becomes ready', async () => {
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
    expect(await Array.fromAsync(results)).toEqual([1]);
  });

  it('starts no more items than the limit allows, and counts items whose results have not been consumed yet', async () => {
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
    expect(await Array.fromAsync(results)).toHaveLength(9);
  });

  it('starts an item that exceeds the limit when no other item is in flight', async () => {
    const results = inCompletionOrder([1, 2], { start: async (n) => n, weigh: () => 100, limit: 8 });
    expect(await Array.fromAsync(results)).toEqual([1, 2]);
  });

  it('ends immediately if there are no items', async () => {
    expect(
      await Array.fromAsync(inCompletionOrder([], { start: async () => 1, weigh: () => 1, limit: 1 })),
    ).toEqual([]);
  });
});
