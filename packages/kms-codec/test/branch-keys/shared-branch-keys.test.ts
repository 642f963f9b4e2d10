import { describe, expect, it } from 'vitest';
import { serializeEntry } from '../../src/branch-keys/entry.ts';
import { GuardedStore } from '../../src/branch-keys/guarded-store.ts';
import { branchKeyId } from '../../src/branch-keys/store.ts';
import { generateBranchKey, importBranchKey } from '../../src/branch-keys/wrapped-branch-key.ts';
import { DecryptionKeys } from '../../src/keys/decryption-keys.ts';
import { asWrappedKey, type ScopeKey } from '../../src/keys/scope-key.ts';
import { SharedBranchKeys, type SharedKeys } from '../../src/keys/shared-branch-keys.ts';
import { WaitBudget } from '../../src/keys/wait-budget.ts';
import { json } from '../support/codec.ts';
import { context, entryIn, type Fleet, fleetOf, hour, storeObserver } from '../support/fleet.ts';
import { keyContextOf, scope } from '../support/key-context.ts';

const id = branchKeyId(scope.cryptoKey, scope.namespace);

/** Adds a process to a fleet, and returns its branch keys and the keys that it creates. */
function processOf({ clock, keyService, store }: Fleet) {
  const events: string[] = [];
  const observer = storeObserver(events);
  const all = keyContextOf({ clock, keyService, observer });
  const decryption = new DecryptionKeys(all);
  const shared = new SharedBranchKeys(all, decryption, new GuardedStore(store, observer, all.now));
  const create = async (): Promise<ScopeKey> => {
    const created = clock.time;
    const plaintext = generateBranchKey(created);
    const { ciphertext, keyVersion } = await keyService.wrap({
      key: scope.cryptoKey,
      plaintext,
      aad: scope.aad,
    });
    return { key: importBranchKey(plaintext), wrapped: ciphertext, keyVersion, created, born: created };
  };
  const sync = (own?: SharedKeys) => {
    const options = { create, waitBudget: new WaitBudget(2_000), refreshShare: 0.75, isUrgent: false };
    return shared.sync(scope, own, options);
  };
  const unwrapStored = () => shared.unwrapStored(scope, new WaitBudget(2_000));
  return { events, decryption, sync, unwrapStored };
}

/** Returns a fleet that has stored a branch key, and another process. */
async function fleetWithReader() {
  const fleet = fleetOf(1);
  await fleet.encrypt();
  return { fleet, ...processOf(fleet) };
}

describe('a process that unwraps the stored keys in order to read', () => {
  it('expects another key at any time if no stored key may still encrypt', async () => {
    const { fleet, unwrapStored } = await fleetWithReader();
    const start = fleet.clock.time;
    expect(await unwrapStored()).toBe(start + 0.75 * hour);
    fleet.clock.time += hour;
    expect(await unwrapStored()).toBe(0);
    fleet.store.values.clear();
    expect(await unwrapStored()).toBe(0);
  });

  it('reports that an entry is usable again only after it has unwrapped one of the entry’s keys', async () => {
    const { fleet, events, unwrapStored } = await fleetWithReader();
    const old = entryIn(fleet.store);
    fleet.store.put(id, new TextEncoder().encode('garbage'));
    await unwrapStored();
    await unwrapStored();
    expect(events).toEqual(['adopt malformed']);
    fleet.clock.time += hour;
    fleet.store.put(id, serializeEntry(old));
    await unwrapStored();
    expect(events).toEqual(['adopt malformed']);
    await fleet.start().encode([json('x')], context);
    await unwrapStored();
    expect(events).toEqual(['adopt malformed', 'adopt works']);
  });

  it('needs no call for the first message under a stored key while Cloud KMS confirms the key version', async () => {
    const { fleet, decryption, unwrapStored } = await fleetWithReader();
    await unwrapStored();
    const first = asWrappedKey(scope, entryIn(fleet.store).current);
    fleet.store.values.clear();
    await fleet.start().encode([json('x')], context);
    await unwrapStored();
    const second = asWrappedKey(scope, entryIn(fleet.store).current);
    fleet.clock.time += hour;
    await decryption.confirm('pay', first, new WaitBudget(2_000));
    expect(decryption.confirmed(second)).toBeDefined();
  });
});

describe('a process that shares its keys', () => {
  it('creates a next key as soon as its key has reached the given share of the soft age', async () => {
    const fleet = fleetOf(0);
    const { sync } = processOf(fleet);
    const own = await sync();
    fleet.clock.time += 0.75 * hour - 1;
    expect(await sync(own)).toMatchObject({ current: own.current, next: undefined });
    fleet.clock.time += 1;
    expect(await sync(own)).toMatchObject({ current: own.current, next: { created: fleet.clock.time } });
  });

  it('keeps its key until the given share of the soft age if it can neither use nor replace the stored key', async () => {
    const fleet = fleetOf(0);
    const { sync } = processOf(fleet);
    const own = await sync();
    fleet.store.put(id, new TextEncoder().encode('{"version":2}'));
    fleet.clock.time += 0.75 * hour - 1;
    expect(await sync(own)).toMatchObject({ current: own.current, sharing: 'refused' });
    fleet.clock.time += 1;
    expect(await sync(own)).toMatchObject({ current: { created: fleet.clock.time } });
  });

  it('throws unavailable if other processes replace the stored keys during each of four attempts', async () => {
    const fleet = fleetOf(0);
    const { sync } = processOf(fleet);
    const own = await sync();
    fleet.store.values.clear();
    fleet.store.replace = async () => {
      if (fleet.store.loads === 100) throw new Error('The store is queried again and again');
      return false;
    };
    const { loads } = fleet.store;
    await expect(sync(own)).rejects.toMatchObject({ code: 'unavailable' });
    expect(fleet.store.loads - loads).toBe(4);
  });
});
