/* Attacks by an attacker who has write access to the store but no access to the crypto key. */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type BranchKeyEntry, parseEntry, serializeEntry } from '../../src/branch-keys/entry.ts';
import { GuardedStore } from '../../src/branch-keys/guarded-store.ts';
import { branchKeyId } from '../../src/branch-keys/store.ts';
import { proveKeyVersion } from '../../src/branch-keys/key-version-proof.ts';
import { branchKeyAad } from '../../src/crypto/tags.ts';
import { DecryptionKeys } from '../../src/keys/decryption-keys.ts';
import { EncryptionKeys } from '../../src/keys/encryption-keys.ts';
import { SharedBranchKeys, type SharedKeys } from '../../src/keys/shared-branch-keys.ts';
import { WaitBudget } from '../../src/keys/wait-budget.ts';
import { cryptoKey, inNamespace, json, valueOf } from '../support/codec.ts';
import {
  branchOf,
  context,
  type Fleet,
  fleetOf,
  hour,
  MemoryStore,
  minute,
  settle,
} from '../support/fleet.ts';
import { keyContextOf, scope } from '../support/key-context.ts';

const payId = branchKeyId(cryptoKey('pay'), 'pay');
const billId = branchKeyId(cryptoKey('pay'), 'bill');
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const entryOf = (fleet: Fleet, id = payId) => parseEntry(fleet.store.values.get(id)!.value);
const put = (fleet: Fleet, entry: BranchKeyEntry, id = payId) => fleet.store.put(id, serializeEntry(entry));

/** Starts another process, and expects that the process does not encrypt with the entry's key. */
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

// [B-7]
describe('a process that reads the store', () => {
  it.each<[string, (entry: BranchKeyEntry) => BranchKeyEntry]>([
    [
      'whose date was changed to make the key look younger',
      ({ current }) => ({ current: { ...current, created: current.created + 50 * minute } }),
    ],
    [
      'whose date was changed by a millisecond',
      ({ current }) => ({ current: { ...current, created: current.created + 1 } }),
    ],
    ['whose key version was changed', ({ current }) => ({ current: { ...current, keyVersion: 2 } })],
    ['whose proof was changed', ({ current }) => ({ current: { ...current, proof: new Uint8Array(16) } })],
    [
      'whose ciphertext was changed',
      ({ current }) => ({
        current: { ...current, wrapped: current.wrapped.map((byte, n) => (n === 20 ? byte ^ 1 : byte)) },
      }),
    ],
    [
      'whose ciphertext is garbage',
      ({ current }) => ({ current: { ...current, wrapped: new Uint8Array(120) } }),
    ],
  ])('does not encrypt with a stored key %s', async (_, change) => {
    const { fleet, entry } = await fleetWithEntry();
    const changed = change(entry);
    put(fleet, changed);
    await expectNotAdopted(fleet, changed);
    expect(fleet.events).toContain('adopt unverified');
  });

  it('does not encrypt with a stored branch key of another namespace, even if the namespaces use the same crypto key', async () => {
    const { fleet } = await fleetWithEntry();
    await fleet.codecs[0]!.encode([json('x')], inNamespace('bill'));
    const other = entryOf(fleet, billId);
    put(fleet, other);
    await expectNotAdopted(fleet, other);
  });

  it('does not encrypt with a stored branch key that belongs to another crypto key', async () => {
    const { fleet } = await fleetWithEntry();
    const others = fleetOf(1);
    await others.encrypt();
    put(fleet, entryOf(others));
    await expectNotAdopted(fleet, entryOf(others));
  });

  it('does not encrypt with a stored key that is past its soft age, even if the date is authentic', async () => {
    const { fleet, entry } = await fleetWithEntry();
    await fleet.pass(2 * hour);
    put(fleet, entry);
    await expectNotAdopted(fleet, entry);
  });

  it('does not encrypt with a stored key dated beyond the allowed clock skew, even if the date is authentic', async () => {
    const { fleet, entry } = await fleetWithEntry();
    fleet.clock.time -= 5 * minute + 1;
    await expectNotAdopted(fleet, entry);
  });
});

/** Returns a branch key that was kept by a person who once could use the crypto key but no longer can. */
async function leakedKey(fleet: Fleet, { current }: BranchKeyEntry): Promise<KeyObject> {
  const request = { key: cryptoKey('pay'), ciphertext: current.wrapped, aad: branchKeyAad('pay') };
  return createSecretKey((await fleet.keyService.unwrap(request)).subarray(-32));
}

describe('an attacker who has a branch key and writes to the store', () => {
  it.each([1.1, 3, 4, 16, 25])(
    'cannot make the branch key look younger, %d h after its creation',
    async (hours) => {
      for (const place of ['current', 'next'] as const) {
        const { fleet, entry } = await fleetWithEntry();
        const key = await leakedKey(fleet, entry);
        fleet.clock.time += hours * hour;
        const created = fleet.clock.time - 15 * minute;
        const { wrapped, keyVersion } = entry.current;
        const redated = { wrapped, keyVersion, created, proof: proveKeyVersion(key, 'pay', keyVersion) };
        put(fleet, place === 'current' ? { current: redated } : { current: entry.current, next: redated });
        const load = fleet.store.load.bind(fleet.store);
        fleet.store.load = async (id) => {
          if (fleet.store.loads === 100) throw new Error('The store is queried again and again');
          return await load(id);
        };
        await expectNotAdopted(fleet, entry);
        // The process that created the key stops using it, too.
        await fleet.pass(minute);
        for (const message of await fleet.encrypt()) expect(branchOf(message)).not.toBe(hex(wrapped));
        expect(fleet.store.loads).toBeLessThan(20);
      }
    },
  );

  it('cannot make the next key encrypt immediately by backdating it', async () => {
    const { fleet, entry } = await fleetWithEntry();
    await fleet.pass(0.76 * hour);
    const { current, next } = entryOf(fleet);
    const key = await leakedKey(fleet, { current: next! });
    const redated = { ...next!, created: next!.created - 20 * minute, proof: proveKeyVersion(key, 'pay', 1) };
    put(fleet, { current, next: redated });
    const [message] = await fleet.start().encode([json('x')], context);
    expect(branchOf(message!)).toBe(hex(entry.current.wrapped));
  });
});

const now = 1_790_000_000_000;

it('fails to encode, without querying the store repeatedly, if the store has only a key past its hard age', async () => {
  const all = keyContextOf({ clock: { time: now } });
  const decryption = new DecryptionKeys(all);
  const wrapped = new Uint8Array(120);
  const current = {
    key: createSecretKey(randomBytes(32)),
    wrapped,
    keyVersion: 1,
    created: now - 25 * hour,
    born: now - 25 * hour,
  };
  let syncs = 0;
  class OldKeys extends SharedBranchKeys {
    override async sync(): Promise<SharedKeys> {
      syncs += 1;
      if (syncs === 100) throw new Error('The store is queried again and again');
      return { current, next: undefined, sharing: 'shared' };
    }
  }
  const store = new GuardedStore(new MemoryStore(), {}, all.now);
  const keys = new EncryptionKeys(all, decryption, new OldKeys(all, decryption, store));
  const waiting = keys.takeOrWait(scope, 1, new WaitBudget(2_000));
  await expect(waiting).rejects.toMatchObject({ code: 'data_key_exhausted' });
  expect(syncs).toBeLessThanOrEqual(3);
});

it('accepts a key from a process whose clock is five minutes ahead', async () => {
  const { fleet, entry } = await fleetWithEntry();
  fleet.clock.time -= 5 * minute;
  const [message] = await fleet.start().encode([json('x')], context);
  expect(branchOf(message!)).toBe(hex(entry.current.wrapped));
});

it.each([
  ['created', 1],
  ['adopted', 2],
])(
  'does not adopt an older entry that was restored, but stores its current key again, which it has %s',
  async (_, n) => {
    const { fleet, entry } = await fleetWithEntry();
    await fleet.pass(5 * minute);
    fleet.store.values.clear();
    const [message] = await fleet.start().encode([json('x')], context);
    await fleet.start().encode([json('x')], context);
    put(fleet, entry);
    fleet.clock.time += 0.75 * hour;
    const codec = fleet.codecs[n]!;
    codec.maintain();
    await settle();
    expect(hex(entryOf(fleet).current.wrapped)).toBe(branchOf(message!));
    const [later] = await codec.encode([json('x')], context);
    expect(branchOf(later!)).toBe(branchOf(message!));
  },
);

it.each([
  ['older than', 5 * minute],
  ['as old as', 0],
])('does not adopt the stored next key if it is %s the current key', async (_, age) => {
  const { fleet, entry } = await fleetWithEntry();
  await fleet.pass(age);
  fleet.store.values.clear();
  await fleet.start().encode([json('x')], context);
  const { current } = entryOf(fleet);
  put(fleet, { current, next: entry.current });
  const codec = fleet.start();
  for (let n = 0; n < 15; n += 1) {
    const [message] = await codec.encode([json('x')], context);
    expect(branchOf(message!)).toBe(hex(current.wrapped));
    await fleet.pass(minute);
  }
});

it('reports and corrects a stored entry in which the date of its own key was changed', async () => {
  const { fleet, entry } = await fleetWithEntry();
  put(fleet, { current: { ...entry.current, created: entry.current.created - minute } });
  await fleet.pass(0.75 * hour);
  expect(fleet.events).toEqual(['adopt unverified', 'adopt works']);
  expect(entryOf(fleet).current).toEqual(entry.current);
});

it('keeps the current key if the next key was tampered with', async () => {
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
])('reports and overwrites an entry that is %s', async (_, value) => {
  const { fleet } = await fleetWithEntry();
  fleet.store.put(payId, value);
  const [message] = await fleet.start().encode([json('x')], context);
  expect(fleet.events).toEqual(['adopt malformed', 'adopt works']);
  expect(hex(entryOf(fleet).current.wrapped)).toBe(branchOf(message!));
});

it('reports but does not overwrite an entry with an unknown format version', async () => {
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

it('wraps only a few dozen keys a day per process, even if an attacker replaces every stored entry with garbage', async () => {
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
