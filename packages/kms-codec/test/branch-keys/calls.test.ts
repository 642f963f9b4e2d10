/*
 * Counts the Cloud KMS calls of a fleet and the keys that it has wrapped, with and without a store, on a
 * simulated clock.
 */
import { describe, expect, it } from 'vitest';
import type { Payload } from '../../src/formats/payload.ts';
import { KmsCodec, KeyRules } from '../../src/index.ts';
import { cryptoKey, inNamespace, json } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { branchOf, hour, MemoryStore, minute, settle } from '../support/fleet.ts';

/** Interval of a codec's timer, in seconds. The processes' timers are spread over the interval. */
const TIMER_S = 15;
/** Interval at which a process encrypts in each namespace, in seconds. */
const WRITE_S = 300;
/**
 * Number of other processes whose messages a process reads after each write. The default amounts to 48
 * messages per hour.
 */
const READS = 4;

interface Run {
  readonly wraps: number;
  readonly unwraps: number;
  /** The number of different wrapped keys in all messages. */
  readonly keys: number;
  /** One message for each different wrapped key. */
  readonly messages: readonly Payload[];
  readonly keyService: FakeKeyService;
  readonly rules: KeyRules;
  readonly time: number;
}

interface Size {
  readonly processes: number;
  readonly namespaces: number;
  readonly hours: number;
  readonly isShared: boolean;
  /** Seconds per step of the clock. */
  readonly stepS?: number;
  /** Number of other processes whose messages a process reads after each write; `READS` by default. */
  readonly reads?: number;
}

/**
 * Runs processes that encrypt and read each other's messages, and counts Cloud KMS calls and wrapped keys.
 */
async function run(size: Size): Promise<Run> {
  const { processes, hours, isShared, stepS = 1, reads = READS } = size;
  const names = Array.from({ length: size.namespaces }, (_, n) => `namespace-${n}`);
  const rules = new KeyRules(Object.fromEntries(names.map((name) => [name, { encrypt: cryptoKey(name) }])));
  const keyService = new FakeKeyService();
  const clock = { time: 1_790_000_000_000 };
  const store = isShared ? new MemoryStore() : undefined;
  const codecs = Array.from(
    { length: processes },
    () => new KmsCodec({ rules, keyService, now: () => clock.time, branchKeyStore: store }),
  );
  const messages = new Map<string, Payload>();
  const phases = TIMER_S / stepS;
  for (let second = 0; second < hours * 3_600; second += stepS) {
    clock.time += stepS * 1_000;
    for (let n = (second / stepS) % phases; n < processes; n += phases) codecs[n]!.maintain();
    await settle(5);
    if (second % WRITE_S > 0) continue;
    for (const name of names) {
      const context = inNamespace(name);
      const written = await Promise.all(
        codecs.map(async (codec) => (await codec.encode([json(second)], context))[0]!),
      );
      for (const message of written) messages.set(branchOf(message), message);
      for (const [n, codec] of codecs.entries()) {
        const first = n + 1 + (second / WRITE_S) * reads;
        const others = Array.from({ length: reads }, (_, m) => written[(first + m) % processes]!);
        await codec.decode(others, context);
      }
    }
  }
  await Promise.all(codecs.map((codec) => codec.close()));
  const { wraps, unwraps } = keyService;
  return {
    wraps,
    unwraps,
    keys: messages.size,
    messages: [...messages.values()],
    keyService,
    rules,
    time: clock.time,
  };
}

/** Returns how many Cloud KMS calls a newly started process makes to read one message under each key. */
async function callsOfReader({ messages, keyService, rules, time }: Run): Promise<number> {
  const reader = new KmsCodec({ rules, keyService, now: () => time });
  const before = keyService.unwraps;
  for (const message of messages) await reader.decode([message], inNamespace('namespace-0'));
  await reader.close();
  return keyService.unwraps - before;
}

describe('a fleet with a store', () => {
  it('uses one branch key per rotation, which each process unwraps with one call, not counting revalidations', async () => {
    const [processes, namespaces, hours] = [20, 2, 3];
    const shared = await run({ processes, namespaces, hours, isShared: true });
    // Each key encrypts for 43.8 to 45 min.
    const rotations = Math.ceil((hours * hour) / (43 * minute));
    expect(shared.keys).toBeLessThanOrEqual(namespaces * (rotations + 1));
    // Processes that are due in the same second each create a key, but only one of these keys is used.
    expect(shared.wraps).toBeLessThanOrEqual(namespaces * (processes + 5 * rotations));
    // A key version in use is revalidated every 2.5 to 5 min.
    const revalidations = (processes * namespaces * (hours * 60)) / 2.5;
    expect(shared.unwraps).toBeLessThanOrEqual(processes * namespaces * (rotations + 1) + revalidations);
  }, 120_000);

  it('writes messages that a new reader decrypts with one call per rotation, whatever the number of processes', async () => {
    const size = { namespaces: 1, hours: 12, isShared: true, stepS: 15 };
    const small = await run({ ...size, processes: 2 });
    const large = await run({ ...size, processes: 10 });
    expect(large.keys).toBeLessThanOrEqual(small.keys + 3);
    expect(await callsOfReader(large)).toBe(large.keys);
    expect(large.keys).toBeLessThanOrEqual(18);
  }, 120_000);
});

describe('a fleet without a store', () => {
  it('uses one branch key per process and rotation, and every process unwraps the keys of all other processes', async () => {
    const [processes, hours] = [10, 6];
    const apart = await run({ processes, namespaces: 1, hours, isShared: false });
    expect(apart.keys).toBeGreaterThanOrEqual(processes * hours);
    expect(apart.unwraps).toBeGreaterThanOrEqual(processes * (processes - 1) * hours);
    expect(await callsOfReader(apart)).toBe(apart.keys);
  }, 120_000);
});

it('makes at most one call every 2.5 min to confirm the key of a process that only encrypts', async () => {
  const [processes, hours] = [4, 24];
  const { wraps, unwraps } = await run({
    processes,
    namespaces: 1,
    hours,
    isShared: false,
    stepS: 15,
    reads: 0,
  });
  expect(wraps).toBeLessThanOrEqual((processes * hours * hour) / (42 * minute) + processes);
  expect(unwraps).toBeLessThanOrEqual((processes * hours * 60) / 2.5);
}, 120_000);
