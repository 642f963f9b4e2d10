import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { BranchKeyStoreError } from '../../src/branch-keys/store.ts';
import { KmsCodecError } from '../../src/errors.ts';
import { codecWith, inNamespace, json, valueOf } from '../support/codec.ts';
import {
  branchOf,
  context,
  distinct,
  entryIn,
  fleetOf,
  hour,
  minute,
  rules,
  settle,
} from '../support/fleet.ts';

const gone = new BranchKeyStoreError('unavailable', 'gone');

describe('a fleet whose store fails', () => {
  it.each(['loading', 'replacing'] as const)(
    'encrypts and decrypts all payloads if %s fails, and reports the failure once',
    async (operation) => {
      const fleet = fleetOf(1);
      fleet.store[operation] = gone;
      for (let h = 0; h < 48; h += 1) {
        const messages = await fleet.encrypt();
        expect(valueOf((await fleet.codecs[0]!.decode(messages, context))[0])).toBe('x');
        await fleet.pass(hour / 2);
      }
      const name = { loading: 'load', replacing: 'replace' }[operation];
      expect(fleet.events).toEqual([`${name} unavailable`]);
      fleet.store[operation] = undefined;
      await fleet.pass(2 * hour);
      expect(fleet.events).toEqual([`${name} unavailable`, `${name} works`]);
    },
  );

  it('delays only each process’s first payload, and only by two seconds, if the store does not respond', async () => {
    const fleet = fleetOf(1);
    fleet.store.loading = new Promise<never>(() => undefined);
    const start = performance.now();
    // The codec measures its waits in real time, not on the fleet's clock. The budget is longer than the time
    // limit for the store.
    const { codec } = codecWith(rules, {
      branchKeyStore: fleet.store,
      now: () => fleet.clock.time,
      waitMs: { activity: 50_000, other: 50_000 },
    });
    await codec.encode([json('x')], context);
    expect(performance.now() - start).toBeLessThan(30_000);
    const second = codec.encode([json('x')], inNamespace('bill')).then(() => 'encoded');
    expect(await Promise.race([second, settle()])).toBe('encoded');
    expect(fleet.store.loads).toBe(1);
  });

  it('agrees on one key at startup, even if the store and Cloud KMS respond slowly', async () => {
    const fleet = fleetOf(3, { waitMs: { activity: 10_000, other: 10_000 } });
    const wrap = fleet.keyService.wrap.bind(fleet.keyService);
    fleet.keyService.wrap = async (request) => {
      await sleep(2_500);
      return await wrap(request);
    };
    const replace = fleet.store.replace.bind(fleet.store);
    fleet.store.replace = async (...call) => {
      await sleep(100);
      return await replace(...call);
    };
    expect(distinct((await fleet.encrypt()).map(branchOf))).toBe(1);
    expect(fleet.events).toEqual([]);
  });

  it('uses the store again once the store has recovered, and agrees on one key', async () => {
    const fleet = fleetOf(20);
    fleet.store.loading = gone;
    expect(distinct((await fleet.encrypt()).map(branchOf))).toBe(20);
    fleet.store.loading = undefined;
    await fleet.pass(2 * minute);
    const messages = await fleet.encrypt();
    expect(distinct(messages.map(branchOf))).toBe(1);
    expect(fleet.store.won).toBe(1);
    expect(fleet.keyService.wraps).toBe(20);
  });

  it('delays the rotation, but keeps one key, if the store fails for a few minutes when the rotation is due', async () => {
    const fleet = fleetOf(5);
    const [before] = await fleet.encrypt();
    await fleet.pass(0.7 * hour);
    fleet.store.loading = gone;
    await fleet.pass(0.2 * hour);
    expect((await fleet.encrypt()).map(branchOf)).toEqual(Array(5).fill(branchOf(before!)));
    fleet.store.loading = undefined;
    await fleet.pass(0.3 * hour);
    const after = await fleet.encrypt();
    expect(distinct(after.map(branchOf))).toBe(1);
    expect(branchOf(after[0]!)).not.toBe(branchOf(before!));
  });

  it('uses a separate key in a process whose attempts to store a key all come too late', async () => {
    const fleet = fleetOf(1);
    fleet.store.replace = async () => false;
    await expect(fleet.encrypt()).resolves.toHaveLength(1);
  });

  it('uses a separate key in each process if the store fails for longer than the soft age', async () => {
    const fleet = fleetOf(5);
    const [before] = await fleet.encrypt();
    fleet.store.loading = gone;
    await fleet.pass(1.1 * hour);
    const messages = await fleet.encrypt();
    expect(distinct([...messages.map(branchOf), branchOf(before!)])).toBe(6);
  });

  it('stores the key in use again if the store has lost its values', async () => {
    const fleet = fleetOf(5);
    const [before] = await fleet.encrypt();
    fleet.store.values.clear();
    await fleet.pass(0.75 * hour);
    expect(Buffer.from(entryIn(fleet.store).current.wrapped).toString('hex')).toBe(branchOf(before!));
    expect(distinct((await fleet.encrypt()).map(branchOf))).toBe(1);
    await fleet.pass(0.25 * hour);
    expect(distinct((await fleet.encrypt()).map(branchOf))).toBe(1);
  });

  it('agrees on the stored key, even if a process has stored another key with the same date', async () => {
    const fleet = fleetOf(1);
    await fleet.encrypt();
    fleet.store.values.clear();
    fleet.start();
    const [, message] = await fleet.encrypt();
    await fleet.pass(0.75 * hour);
    expect((await fleet.encrypt()).map(branchOf)).toEqual(Array(2).fill(branchOf(message!)));
  });
});

it('creates a separate key in a process that starts while Cloud KMS wraps but does not unwrap, and shares keys again later', async () => {
  const fleet = fleetOf(1);
  await fleet.encrypt();
  const unwrap = fleet.keyService.unwrap.bind(fleet.keyService);
  fleet.keyService.unwrap = () => Promise.reject(new KmsCodecError('kms_quota', 'rejected'));
  const started = fleet.start({ waitMs: { activity: 10_000, other: 10_000 } });
  await expect(started.encode([json('x')], context)).resolves.toHaveLength(1);
  fleet.keyService.unwrap = unwrap;
  await fleet.pass(minute);
  expect(distinct((await fleet.encrypt()).map(branchOf))).toBe(1);
});
