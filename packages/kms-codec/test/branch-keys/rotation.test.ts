import { describe, expect, it, vi } from 'vitest';
import { codecWith, json } from '../support/codec.ts';
import {
  branchOf,
  context,
  distinct,
  entryIn,
  fleetOf,
  hour,
  minute,
  outageAfterNextKey,
  rules,
  settle,
} from '../support/fleet.ts';

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

  it('rotates within a minute, with at most one unwrap per process, and wraps only in processes that are due at the same time', async () => {
    const fleet = fleetOf(50);
    await fleet.encrypt();
    const { wraps, unwraps } = fleet.keyService;
    await fleet.pass(0.75 * hour + minute);
    expect(fleet.keyService.unwraps - unwraps).toBeLessThanOrEqual(50);
    // Processes that are due within the same 15 s each create a key. On average, a quarter of the processes are due
    // within the first 15 s; more than 35 are due then in one of 10^11 runs.
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

  it('does not rotate during a Cloud KMS outage that no process has noticed yet', async () => {
    // With these limits, the next key would encrypt before any process has to revalidate a key.
    const fleet = fleetOf(3, { limits: { softAgeMs: minute, revalidateMs: 5 * minute } });
    const late = await outageAfterNextKey(fleet, 0.75 * minute);
    fleet.clock.time += 0.21 * minute;
    for (let n = 0; n < 3; n += 1) {
      const messages = await fleet.encrypt();
      expect(await late.decode(messages, context)).toHaveLength(3);
      await settle();
    }
  });

  it('stores another next key if Cloud KMS refuses the next key at the time of the rotation', async () => {
    const fleet = fleetOf(1);
    await fleet.encrypt();
    fleet.keyService.version = 2;
    await fleet.pass(0.76 * hour);
    expect(entryIn(fleet.store).next).toMatchObject({ keyVersion: 2 });
    fleet.keyService.disabled.add(2);
    fleet.keyService.version = 3;
    await fleet.pass(0.21 * hour);
    expect(entryIn(fleet.store).next).toMatchObject({ keyVersion: 3 });
  });

  it('keeps the next key in memory, however many other keys a process reads', async () => {
    const fleet = fleetOf(2, { limits: { maxDecryptionKeys: 1 } });
    await fleet.encrypt();
    await fleet.pass(0.76 * hour);
    const [first, second] = fleet.codecs;
    const other = await codecWith(rules, { keyService: fleet.keyService }).codec.encode([json('y')], context);
    await second!.decode(other, context);
    fleet.clock.time += 0.2 * hour;
    first!.maintain();
    await settle();
    const messages = await first!.encode([json('x')], context);
    expect(branchOf(messages[0]!)).toBe(Buffer.from(entryIn(fleet.store).next!.wrapped).toString('hex'));
    fleet.keyService.failing = 'kms_unavailable';
    expect(await second!.decode(messages, context)).toHaveLength(1);
  });

  it('creates the next key in the background if the key is due when a process starts', async () => {
    const fleet = fleetOf(1);
    const [before] = await fleet.encrypt();
    fleet.clock.time += 0.8 * hour;
    const wrap = vi.spyOn(fleet.keyService, 'wrap').mockReturnValue(new Promise(() => undefined));
    const [message] = await fleet.start().encode([json('x')], context);
    expect(branchOf(message!)).toBe(branchOf(before!));
    await settle();
    expect(wrap).toHaveBeenCalledOnce();
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
    'stops using a stored key that the process has %s at the key’s soft age, although its date makes it look younger',
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
