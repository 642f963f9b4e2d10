import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { block } from '@temporal-kms/scripts/block';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CloudKms, KeyRules, type KmsCall, KmsCodec } from '../../src/index.ts';
import { cryptoKey, inNamespace, json, valueOf } from '../support/codec.ts';

/*
 * A process receives no data while its event loop is blocked. The codec must not report that as a Cloud KMS
 * outage.
 */

const context = inNamespace('pay');
const rules = new KeyRules({ pay: { encrypt: cryptoKey('pay') } });
let thread: Worker;
let address: string;

beforeAll(async () => {
  const file = new URL('../support/emulator-thread.ts', import.meta.url);
  thread = new Worker(file, { workerData: [cryptoKey('pay')] });
  [address] = await once(thread, 'message');
});
afterEach(() => setLatency(0));
afterAll(() => thread.terminate());

async function setLatency(milliseconds: number): Promise<void> {
  thread.postMessage(milliseconds, []);
  await once(thread, 'message');
}

/**
 * Deadlines that are shorter than the stalls, but long enough to allow for pauses of the emulator's thread.
 */
const LONG = { attemptMs: 4_000, budgetMs: 12_000 };
/** Deadlines that are shorter than a whole series of stalls. */
const MEDIUM = { attemptMs: 1_000, budgetMs: 6_000 };
/** Deadlines for tests in which no response arrives. */
const SHORT = { attemptMs: 1_000, budgetMs: 2_500 };

function newCodec({ attemptMs, budgetMs } = LONG) {
  const calls: KmsCall[] = [];
  const observer = { kmsCall: (call: KmsCall) => void calls.push(call) };
  const keyService = new CloudKms({ emulatorHost: address, observer, attemptTimeoutMs: attemptMs });
  const codec = new KmsCodec({ rules, keyService, waitMs: { other: budgetMs } });
  onTestFinished(() => codec.close());
  return { codec, calls };
}

describe('a blocked event loop', () => {
  it.each([
    ['once, while the connection opens', [4_500], LONG],
    ['once, while the codec waits for the response', [0, 0, 0, 4_500], LONG],
    ['in every iteration, as with synchronous work', Array<number>(12).fill(600), MEDIUM],
  ])('does not cause kms_unavailable: %s', async (_, stalls, deadlines) => {
    const encrypted = await newCodec().codec.encode([json('kept')], context);
    const reader = newCodec(deadlines);
    await setLatency(100);
    const decoded = reader.codec.decode(encrypted, context);
    for (const stall of stalls) {
      block(stall);
      await sleep(5);
    }
    expect(valueOf((await decoded)[0])).toBe('kept');
    expect(reader.calls.filter(({ code }) => code !== undefined)).toEqual([]);
  });
});

it('the codec reports a real outage without delay', async () => {
  const encrypted = await newCodec().codec.encode([json('lost')], context);
  const reader = newCodec(SHORT);
  await setLatency(60_000);
  const start = performance.now();
  await expect(reader.codec.decode(encrypted, context)).rejects.toMatchObject({ code: 'kms_unavailable' });
  expect(performance.now() - start).toBeLessThan(30_000);
  expect(reader.calls.map(({ code }) => code)).toContain('kms_unavailable');
});

it('the codec reports an outage that starts during a stall', async () => {
  const encrypted = await newCodec().codec.encode([json('lost')], context);
  const reader = newCodec(SHORT);
  await setLatency(60_000);
  const decoded = reader.codec.decode(encrypted, context);
  block(2_000);
  await expect(decoded).rejects.toMatchObject({ code: 'kms_unavailable' });
  await expect.poll(() => reader.calls.map(({ code }) => code)).toContain('kms_unavailable');
});
