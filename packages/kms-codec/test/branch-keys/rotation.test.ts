import { describe, expect, it, vi } from 'vitest';
import type { KmsCodec } from '../../src/index.ts';
import { json } from '../support/codec.ts';
import {
  branchOf,
  context,
  distinct,
  entryIn,
  type Fleet,
  fleetOf,
  hour,
  minute,
  settle,
} from '../support/fleet.ts';

/**
 * Lets all processes but the last store and unwrap a next key after some milliseconds, and begins a Cloud KMS outage.
 * @returns the last process
 */
async function outageAfterNextKey(fleet: Fleet, milliseconds: number): Promise<KmsCodec> {
  await fleet.encrypt();
  fleet.clock.time += milliseconds;
  for (const codec of fleet.codecs.slice(0, -1)) codec.maintain();
  await settle();
  expect(entryIn(fleet.store).next).toBeDefined();
  fleet.keyService.failing = 'kms_unavailable';
  return fleet.codecs.at(-1)!;
}

describe('a fleet at the time of a rotation', () => {
  it('agrees on one new key, which all processes unwrap immediately, even if 20 processes rotate at the same time', async () => {
    const fleet = fleetOf(20);
    await fleet.encrypt();
    const { won } = fleet.store;
    fleet.clock.time += 0.75 * hour;
    for (const codec of fleet.codecs) codec.maintain();
    await settle();
    expect(fleet.store.won - won).toBe(1);
    expect(entryIn(fleet.store).next).toBeDefined();
    await fleet.pass(0.25 * hour);
    const messages = await fleet.encrypt();
    expect(distinct(messages.map(branchOf))).toBe(1);
    expect(branchOf(messages[0]!)).toBe(Buffer.from(entryIn(fleet.store).next!.wrapped).toString('hex'));
  });

  it('rotates within a minute, with at most one unwrap per process, and a wrap in each process that is due at the same time', async () => {
    const fleet = fleetOf(50);
    await fleet.encrypt();
    const { wraps, unwraps } = fleet.keyService;
    await fleet.pass(0.75 * hour + minute);
    expect(fleet.keyService.unwraps - unwraps).toBeLessThanOrEqual(50);
    // Processes that are due within the same 15 s each create a key. On average, a quarter of the processes are due
    // within the first 15 s; a larger number occurs once in 10^11 runs.
    expect(fleet.keyService.wraps - wraps).toBeLessThanOrEqual(35);
    expect(fleet.store.won).toBe(2);
  });

  // [B-8] [B-9]
  it('encrypts with the next key only after every process has unwrapped it', async () => {
    const fleet = fleetOf(10);
    const first = branchOf((await fleet.encrypt())[0]!);
    const seen: string[] = [];
    for (let m = 0; m < 75; m += 1) {
      await fleet.pass(minute);
      const messages = await fleet.encrypt();
      const { unwraps } = fleet.keyService;
      for (const codec of fleet.codecs) await codec.decode(messages, context);
      expect(fleet.keyService.unwraps).toBe(unwraps);
      for (const message of messages) seen.push(branchOf(message));
    }
    expect(seen[0]).toBe(first);
    expect(distinct(seen)).toBe(2);
  });

  it('does not rotate during a Cloud KMS outage that starts after the next key was stored', async () => {
    const fleet = fleetOf(5, { limits: { revalidateMs: 5 * minute } });
    const late = await outageAfterNextKey(fleet, 0.75 * hour);
    for (let m = 0; m < 60; m += 1) {
      await fleet.pass(minute);
      const messages = await fleet.encrypt();
      expect(await late.decode(messages, context)).toHaveLength(5);
    }
    fleet.keyService.failing = undefined;
    const before = branchOf((await fleet.encrypt())[0]!);
    // Attempts in flight retry after up to 2 s of real time.
    await vi.waitFor(
      async () => {
        await fleet.pass(minute);
        const messages = await fleet.encrypt();
        expect(distinct(messages.map(branchOf))).toBe(1);
        expect(branchOf(messages[0]!)).not.toBe(before);
      },
      { timeout: 20_000, interval: 200 },
    );
  });

  it('does not rotate during a Cloud KMS outage, even if the current key reaches its soft age before the next key may encrypt', async () => {
    const fleet = fleetOf(3);
    const late = await outageAfterNextKey(fleet, 0.85 * hour);
    for (let m = 0; m < 12; m += 1) {
      await fleet.pass(minute);
      const messages = await fleet.encrypt();
      expect(await late.decode(messages, context)).toHaveLength(3);
    }
  });

  it('does not rotate during a Cloud KMS outage that no process has noticed yet', async () => {
    // No revalidation is due before the next key would be used.
    const fleet = fleetOf(3, { limits: { softAgeMs: minute, revalidateMs: 5 * minute } });
    const late = await outageAfterNextKey(fleet, 0.75 * minute);
    fleet.clock.time += 0.21 * minute;
    for (let n = 0; n < 3; n += 1) {
      const messages = await fleet.encrypt();
      expect(await late.decode(messages, context)).toHaveLength(3);
      await settle();
    }
  });

  it('reads all its processes’ messages if a Cloud KMS outage of an hour begins right after startup', async () => {
    const fleet = fleetOf(20);
    await fleet.encrypt();
    fleet.keyService.failing = 'kms_unavailable';
    let failures = 0;
    for (let m = 0; m < 60; m += 1) {
      await fleet.pass(minute);
      const messages = await fleet.encrypt();
      for (const codec of fleet.codecs) await codec.decode(messages, context).catch(() => (failures += 1));
    }
    expect(failures).toBe(0);
  });

  it('gives each process a new salt, so that no two processes share a data key', async () => {
    const fleet = fleetOf(20);
    const messages = await fleet.encrypt();
    const headers = messages.map(({ data }) => Buffer.from(data!.subarray(0, 60)).toString('hex'));
    expect(distinct(headers)).toBe(20);
  });
});

describe('a process whose clock is set back', () => {
  it.each([30 * minute, 6 * hour])(
    'uses a branch key for no longer than a process whose clock is right (set back by %i ms)',
    async (back) => {
      const fleet = fleetOf(2);
      const first = branchOf((await fleet.encrypt())[0]!);
      await fleet.pass(0.7 * hour);
      fleet.clock.time -= back;
      await fleet.pass(0.4 * hour);
      for (const message of await fleet.encrypt()) expect(branchOf(message)).not.toBe(first);
    },
  );

  it.each([
    ['created', 0],
    ['adopted', 1],
  ])(
    'rejects a stored key past its soft age that the process has %s, although its date makes the key look younger',
    async (_, n) => {
      const fleet = fleetOf(1);
      const [first] = await fleet.encrypt();
      fleet.start();
      await fleet.encrypt();
      await fleet.pass(0.7 * hour);
      fleet.clock.time -= 30 * minute;
      await fleet.pass(15_000);
      fleet.clock.time += 0.4 * hour;
      const [message] = await fleet.codecs[n]!.encode([json('x')], context);
      expect(branchOf(message!)).not.toBe(branchOf(first!));
    },
  );
});
