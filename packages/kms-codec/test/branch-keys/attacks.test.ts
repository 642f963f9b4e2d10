/* What an attacker can do who may write a store, and may not use the crypto key. */
import { describe, expect, it } from 'vitest';
import { type BranchKeyEntry, parseEntry, serializeEntry } from '../../src/branch-keys/entry.ts';
import { branchKeyId } from '../../src/branch-keys/store.ts';
import { cryptoKey, inNamespace, json, valueOf } from '../support/codec.ts';
import { branchOf, context, type Fleet, fleetOf, hour, minute } from '../support/fleet.ts';

const payId = branchKeyId(cryptoKey('pay'), 'pay');
const billId = branchKeyId(cryptoKey('pay'), 'bill');
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const entryOf = (fleet: Fleet, id = payId) => parseEntry(fleet.store.values.get(id)!.value);
const put = (fleet: Fleet, entry: BranchKeyEntry, id = payId) => fleet.store.put(id, serializeEntry(entry));

/** Starts another process, which must not encrypt with a key of the entry, and returns the key with which it does. */
async function expectNotAdopted(fleet: Fleet, entry: BranchKeyEntry): Promise<void> {
  const codec = fleet.start();
  const [message] = await codec.encode([json('secret')], context);
  expect(branchOf(message!)).not.toBe(hex(entry.current.wrapped));
  expect(valueOf((await codec.decode([message!], context))[0])).toBe('secret');
}

async function fleetWithEntry(): Promise<{ fleet: Fleet; entry: BranchKeyEntry }> {
  const fleet = fleetOf(1);
  await fleet.encrypt();
  return { fleet, entry: entryOf(fleet) };
}

describe('a process does not encrypt with a stored key', () => {
  it.each<[string, (entry: BranchKeyEntry) => BranchKeyEntry]>([
    [
      'whose date was changed to make it younger',
      ({ current }) => ({ current: { ...current, created: current.created + 50 * minute } }),
    ],
    [
      'whose date was changed by a millisecond',
      ({ current }) => ({ current: { ...current, created: current.created + 1 } }),
    ],
    ['whose key version was changed', ({ current }) => ({ current: { ...current, keyVersion: 2 } })],
    ['whose proof was changed', ({ current }) => ({ current: { ...current, proof: new Uint8Array(32) } })],
    [
      'whose ciphertext was changed',
      ({ current }) => ({
        current: { ...current, wrapped: current.wrapped.map((byte, n) => (n === 20 ? byte ^ 1 : byte)) },
      }),
    ],
    [
      'whose ciphertext is garbage',
      ({ current }) => ({ current: { ...current, wrapped: new Uint8Array(113) } }),
    ],
  ])('%s', async (_, change) => {
    const { fleet, entry } = await fleetWithEntry();
    const changed = change(entry);
    put(fleet, changed);
    await expectNotAdopted(fleet, changed);
    expect(fleet.events).toContain('adopt unverified');
  });

  it('of another namespace under the same crypto key', async () => {
    const { fleet } = await fleetWithEntry();
    await fleet.codecs[0]!.encode([json('x')], inNamespace('bill'));
    const other = entryOf(fleet, billId);
    put(fleet, other);
    await expectNotAdopted(fleet, other);
  });

  it('under another crypto key', async () => {
    const { fleet } = await fleetWithEntry();
    const others = fleetOf(1);
    await others.encrypt();
    put(fleet, entryOf(others));
    await expectNotAdopted(fleet, entryOf(others));
  });

  it('that is past its soft age, although its date is authentic', async () => {
    const { fleet, entry } = await fleetWithEntry();
    await fleet.pass(2 * hour);
    put(fleet, entry);
    await expectNotAdopted(fleet, entry);
  });

  it('from the future beyond the clock skew, although its date is authentic', async () => {
    const { fleet, entry } = await fleetWithEntry();
    fleet.clock.time -= 6 * minute;
    await expectNotAdopted(fleet, entry);
  });
});

it('a process accepts a key of a process whose clock is four minutes ahead', async () => {
  const { fleet, entry } = await fleetWithEntry();
  fleet.clock.time -= 4 * minute;
  const [message] = await fleet.start().encode([json('x')], context);
  expect(branchOf(message!)).toBe(hex(entry.current.wrapped));
});

it('a running process does not return to an older entry, and stores its own key again', async () => {
  const { fleet, entry } = await fleetWithEntry();
  await fleet.pass(0.97 * hour);
  const [message] = await fleet.encrypt();
  expect(branchOf(message!)).not.toBe(hex(entry.current.wrapped));
  put(fleet, entry);
  await fleet.pass(0.6 * hour);
  expect(hex(entryOf(fleet).current.wrapped)).toBe(branchOf(message!));
});

it('a changed next key does not replace the current key', async () => {
  const { fleet, entry } = await fleetWithEntry();
  await fleet.pass(0.76 * hour);
  const { current, next } = entryOf(fleet);
  put(fleet, { current, next: { ...next!, created: next!.created - 0.3 * hour } });
  const [message] = await fleet.start().encode([json('x')], context);
  expect(branchOf(message!)).toBe(hex(entry.current.wrapped));
});

it.each<[string, Uint8Array]>([
  ['garbage', new TextEncoder().encode('garbage')],
  ['empty', new Uint8Array()],
  ['too large', new Uint8Array(10_000)],
  ['deeply nested', new TextEncoder().encode('['.repeat(8_000))],
])('an entry that is %s is reported and written again', async (_, value) => {
  const { fleet } = await fleetWithEntry();
  fleet.store.put(payId, value);
  const [message] = await fleet.start().encode([json('x')], context);
  expect(fleet.events).toEqual(['adopt malformed', 'adopt works']);
  expect(hex(entryOf(fleet).current.wrapped)).toBe(branchOf(message!));
});

it('an entry of a later version is reported and stays', async () => {
  const { fleet } = await fleetWithEntry();
  const later = new TextEncoder().encode('{"version":2}');
  fleet.store.put(payId, later);
  const codec = fleet.start();
  await codec.encode([json('x')], context);
  await fleet.pass(3 * hour);
  await fleet.encrypt();
  expect(fleet.store.values.get(payId)?.value).toEqual(later);
  expect(fleet.events).toEqual(Array(2).fill('adopt unsupported_version'));
});

it('a writer that replaces each entry by garbage costs each process few calls', async () => {
  const { fleet } = await fleetWithEntry();
  const replace = fleet.store.replace.bind(fleet.store);
  fleet.store.replace = async (...call) => {
    const won = await replace(...call);
    fleet.store.put(payId, new TextEncoder().encode('garbage'));
    return won;
  };
  const before = fleet.keyService.wraps;
  await fleet.pass(24 * hour);
  expect(fleet.keyService.wraps - before).toBeLessThanOrEqual(34);
  await expect(fleet.encrypt()).resolves.toHaveLength(1);
});
