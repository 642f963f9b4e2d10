import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { GuardedStore } from '../../src/branch-keys/guarded-store.ts';
import { createdOf } from '../../src/branch-keys/wrapped-branch-key.ts';
import { KmsCodecError, type Observer } from '../../src/index.ts';
import { clocksOf } from '../../src/keys/clock.ts';
import { DataKeys } from '../../src/keys/data-keys.ts';
import { DecryptionKeys } from '../../src/keys/decryption-keys.ts';
import { EncryptionKeys } from '../../src/keys/encryption-keys.ts';
import { SharedBranchKeys } from '../../src/keys/shared-branch-keys.ts';
import type { ScopeKey } from '../../src/keys/scope-key.ts';
import { WaitBudget } from '../../src/keys/wait-budget.ts';
import { codecWith, cryptoKey, json } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { context, hour, MemoryStore, minute, settle } from '../support/fleet.ts';
import { keyContextOf, scope } from '../support/key-context.ts';
import { rule } from '../support/reader.ts';

/** Returns a codec with a key, and the events about its keys. */
async function codecWithKey() {
  const events: unknown[] = [];
  const observer: Observer = {
    dataKeyRotated: (event) => void events.push(event),
    dataKeyRefreshFailed: (event) => void events.push(event),
  };
  const { codec, clock, keyService } = codecWith(rule, { observer });
  await codec.warm('pay');
  return { codec, clock, keyService, events };
}

const key = cryptoKey('pay');
const first = { namespace: 'pay', key, keyVersion: 1, reason: 'first', origin: 'created' };

describe('a process that encrypts', () => {
  it('reports each new key, and why it has replaced the previous key', async () => {
    const { codec, clock, keyService, events } = await codecWithKey();
    clock.time += 0.8 * hour;
    keyService.version = 2;
    codec.maintain();
    await settle();
    expect(events).toEqual([first, { ...first, keyVersion: 2, reason: 'age' }]);
  });

  it('retries a rejected refresh every 10 s, and reports each failure once', async () => {
    const { codec, clock, keyService, events } = await codecWithKey();
    Object.assign(keyService, { failing: 'permission_denied', affected: 'wrap' });
    const wrapsAfter = async (milliseconds: number) => {
      clock.time += milliseconds;
      await codec.encode([json('x'), json('y')], context);
      await settle();
      return keyService.wraps - 1;
    };
    expect(await wrapsAfter(0.8 * hour)).toBe(1);
    expect([await wrapsAfter(10_000 - 1), await wrapsAfter(1)]).toEqual([1, 2]);
    const failed = { namespace: 'pay', key, code: 'permission_denied' };
    expect(events).toEqual([first, failed, failed]);
  });

  it('keeps its key if the key service throws an unexpected error, and fails with this error past the soft age', async () => {
    const { codec, clock, keyService, events } = await codecWithKey();
    const bug = new TypeError('bug');
    const wrap = keyService.wrap.bind(keyService);
    let calls = 0;
    keyService.wrap = () => {
      calls += 1;
      return calls > 50 ? new Promise(() => undefined) : Promise.reject(bug);
    };
    clock.time += 0.8 * hour;
    codec.maintain();
    await settle();
    expect(events).toEqual([first]);
    expect(codec.keyState('pay')).toMatchObject({ failure: undefined, autonomySeconds: 23.2 * 3_600 });
    clock.time += 0.3 * hour;
    await expect(codec.encode([json('x')], context)).rejects.toBe(bug);
    // The encode waited for ten background attempts, and then made an attempt itself.
    expect(calls).toBe(12);
    keyService.wrap = wrap;
    await expect(codec.encode([json('x')], context)).resolves.toHaveLength(1);
  });

  it('makes no Cloud KMS call in `warm` if it already has a key', async () => {
    const { codec, keyService } = await codecWithKey();
    await codec.warm('pay');
    expect([keyService.wraps, keyService.unwraps]).toEqual([1, 0]);
  });

  it('has no key in memory after it has closed its codec', async () => {
    const { codec } = await codecWithKey();
    await codec.close();
    expect(codec.keyState('pay')).toMatchObject({
      autonomySeconds: 0,
      encryptionKeyAgeSeconds: undefined,
      oldestKeyAgeSeconds: undefined,
    });
  });

  it('does not make a failed call wait for the refresh of a key', async () => {
    const clock = { time: 1_000_000 };
    const keyService = new FakeKeyService();
    const all = keyContextOf({ clock, keyService });
    const keys = new EncryptionKeys(all, new DecryptionKeys(all));
    await keys.warm(scope, new WaitBudget(2_000));
    clock.time += hour;
    keyService.wrap = () => new Promise(() => undefined);
    const waitBudget = new WaitBudget(60_000);
    const waiting = keys.takeOrWait(scope, 1, waitBudget);
    waitBudget.fail();
    await expect(waiting).rejects.toMatchObject({ code: 'data_key_exhausted', key });
  });

  it.each([
    [1_234.9, 1_234],
    [-5, 0],
  ])('rounds a branch key’s date down to milliseconds, at least 0 (%d: %i)', async (wall, created) => {
    const all = { ...keyContextOf({}), wall: () => wall };
    const keys = new EncryptionKeys(all, new DecryptionKeys(all));
    const { source } = await keys.takeOrWait(scope, 1, new WaitBudget(2_000));
    expect([source.created, createdOf(source.key)]).toEqual([created, created]);
  });
});

/**
 * Returns a process's keys, and a function that fires the process's timer and returns how often the store was
 * queried.
 */
function keysWithStore() {
  const store = new MemoryStore();
  const keys = new DataKeys(
    keyContextOf({ keyService: new FakeKeyService() }),
    clocksOf(() => 0),
    store,
  );
  const loads = async () => {
    keys.maintain();
    await settle();
    return store.loads;
  };
  return { keys, loads };
}

describe('a process that has a store, and expects to read a scope’s messages', () => {
  it.each([
    ['queries the store', scope, 1],
    ['does not query the store if the scope has no branch keys', { ...scope, info: new Uint8Array() }, 0],
    ['does not query the store if the rule only decrypts', undefined, 0],
  ])('%s', async (_, read, expected) => {
    const { keys, loads } = keysWithStore();
    keys.willRead(read);
    expect(await loads()).toBe(expected);
  });

  it('does not query the store again if it encrypts in the scope', async () => {
    const { keys, loads } = keysWithStore();
    await keys.encryption.warm(scope, new WaitBudget(2_000));
    keys.willRead(scope);
    expect(await loads()).toBe(1);
    expect([keys.encryption.has(scope), keys.encryption.has({ ...scope, id: 'bill' })]).toEqual([
      true,
      false,
    ]);
  });
});

/** Returns a codec with a store, and a function that lets time pass, after which the codec's timer fires. */
function codecWithStore() {
  const store = new MemoryStore();
  const rules = { pay: rule.pay, bill: rule.pay };
  const tested = codecWith(rules, { branchKeyStore: store });
  const pass = async (milliseconds: number) => {
    tested.clock.time += milliseconds;
    tested.codec.maintain();
    await settle();
  };
  return { ...tested, store, pass };
}

it('a process with a store may again use its key up to the hard age once Cloud KMS no longer refuses to wrap a next key', async () => {
  const { codec, keyService, pass } = codecWithStore();
  await codec.warm('pay');
  Object.assign(keyService, { failing: 'permission_denied', affected: 'wrap' });
  await pass(0.8 * hour);
  expect(codec.keyState('pay')).toMatchObject({ failure: 'permission_denied', autonomySeconds: 720 });
  keyService.failing = undefined;
  await pass(10_000);
  expect(codec.keyState('pay').failure).toBeUndefined();
  expect(codec.keyState('pay').autonomySeconds).toBeGreaterThan(23 * 3_600);
});

function scopeKey(born: number): ScopeKey {
  const secret = createSecretKey(randomBytes(32));
  return { key: secret, wrapped: randomBytes(100), keyVersion: 1, created: born, born };
}

it('a process keeps its next key if Cloud KMS does not confirm it for a minute, and activates it later', async () => {
  const clock = { time: 1_000_000 };
  const dataKeyRotated = vi.fn();
  const all = keyContextOf({ clock, observer: { dataKeyRotated } });
  const decryption = new DecryptionKeys(all);
  const keysOfFleet = {
    current: scopeKey(clock.time),
    next: scopeKey(clock.time),
    sharing: 'shared',
  } as const;
  const shared = new SharedBranchKeys(all, decryption, new GuardedStore(new MemoryStore(), {}, all.now));
  const sync = vi.spyOn(shared, 'sync').mockResolvedValue(keysOfFleet);
  const confirm = vi.spyOn(decryption, 'confirm');
  confirm.mockRejectedValueOnce(new KmsCodecError('kms_unavailable', 'no response'));
  confirm.mockResolvedValue(keysOfFleet.next.key);
  const keys = new EncryptionKeys(all, decryption, shared);
  await keys.warm(scope, new WaitBudget(2_000));
  for (const milliseconds of [0.2 * hour, 10_000]) {
    clock.time += milliseconds;
    keys.maintain();
    await settle();
  }
  expect([sync.mock.calls.length, confirm.mock.calls.length]).toEqual([1, 2]);
  expect(dataKeyRotated.mock.calls.map(([{ reason }]) => reason)).toEqual(['first', 'age']);
});

describe('a process whose store fails', () => {
  it.each(['encode', 'warm'] as const)(
    'does not query the store again for another namespace’s first key (%s)',
    async (call) => {
      const { codec, clock, store } = codecWithStore();
      store.loading = new Error('gone');
      await codec.warm('bill');
      clock.time += minute;
      await (call === 'warm' ? codec.warm('pay') : codec.encode([json('x')], context));
      expect(store.loads).toBe(1);
    },
  );

  it('tries to share its key every 30 s', async () => {
    const { codec, store, pass } = codecWithStore();
    store.loading = new Error('gone');
    await codec.warm('pay');
    await pass(30_000 - 1);
    expect(store.loads).toBe(1);
    await pass(1);
    expect(store.loads).toBe(2);
  });

  it('creates a next key at most every 10 s if it cannot write to the store', async () => {
    const { codec, keyService, store, pass } = codecWithStore();
    await codec.warm('pay');
    store.replacing = new Error('gone');
    await pass(0.8 * hour);
    expect(keyService.wraps).toBe(2);
    await pass(10_000 - 1);
    expect(keyService.wraps).toBe(2);
    await pass(1);
    expect(keyService.wraps).toBe(3);
  });
});
