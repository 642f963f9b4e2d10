import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { wrappedKey } from '../../src/crypto/wrapped-key.ts';
import { type CachedKey, CachedKeys } from '../../src/keys/cached-keys.ts';
import { KeyVersionAccess } from '../../src/keys/key-version-access.ts';
import { isDue, usabilityOf, usableUntil } from '../../src/keys/usability.ts';
import { cryptoKey } from '../support/codec.ts';
import { keyContextOf } from '../support/key-context.ts';

const start = 1_000_000;
const clock = { time: start };
const context = keyContextOf({ clock });
const { limits } = context;

interface Times {
  /** When Cloud KMS last unwrapped the key itself. */
  readonly confirmed?: number;
  /** When Cloud KMS last unwrapped any key under the version. */
  readonly version?: number;
}

/** Returns an unwrapped key whose wrapped bytes consist of `byte`. */
function cachedKey(isOwn: boolean, { confirmed = start, version = start }: Times = {}, byte = 1): CachedKey {
  const wrapped = Uint8Array.of(byte);
  const access = new KeyVersionAccess(
    { cryptoKey: cryptoKey('pay'), keyVersion: 1, confirmed: version },
    { context, unwrapped: () => undefined, another: () => undefined, refused: () => undefined },
  );
  return {
    namespace: 'pay',
    wrappedKey: wrappedKey({
      cryptoKey: cryptoKey('pay'),
      aad: new Uint8Array(),
      wrapped,
      isBranchKey: true,
    }),
    key: createSecretKey(new Uint8Array(32)),
    access,
    version: 1,
    isOwn,
    confirmed,
    used: start,
  };
}

describe('the key of the latest lookup', () => {
  it.each([
    ['was deleted', (keys: CachedKeys, key: CachedKey) => keys.delete(key)],
    ['was cleared', (keys: CachedKeys) => keys.clear()],
    ['was evicted', (keys: CachedKeys, { isOwn }: CachedKey) => keys.set(cachedKey(isOwn, {}, 2))],
  ])('is no longer found after it %s', (_, remove) => {
    for (const isOwn of [false, true]) {
      const keys = new CachedKeys({ own: 1, others: 1 });
      const key = cachedKey(isOwn);
      const { id } = key.wrappedKey;
      keys.set(key);
      expect([keys.find(id), keys.findOwn(id)]).toEqual([key, isOwn ? key : undefined]);
      remove(keys, key);
      expect([keys.find(id), keys.findOwn(id)]).toEqual([undefined, undefined]);
    }
  });
});

describe('a cached key', () => {
  it.each([
    ['of another process', 'the key', false, { confirmed: start, version: start + 5 }],
    ['of another process', 'its version', false, { confirmed: start + 5, version: start }],
    ['of this process', 'the key', true, { confirmed: start, version: start - 5 }],
  ] as const)('%s can be used until the hard age after the confirmation of %s', (_, _of, isOwn, times) => {
    const key = cachedKey(isOwn, times);
    expect(usableUntil(key, limits)).toBe(start + limits.hardAgeMs);
    clock.time = start + limits.hardAgeMs;
    expect(usabilityOf(key, limits, clock.time)).toBe('unusable');
    expect(usabilityOf(key, limits, clock.time - 1)).toBe('unconfirmed');
  });

  it('is due once its version has to be revalidated, and once half of the hard age has passed since its own confirmation', () => {
    const key = cachedKey(false);
    const { revalidateAt } = key.access;
    expect([revalidateAt - 1, revalidateAt].map((now) => isDue(key, limits, now))).toEqual([false, true]);
    const half = start + limits.hardAgeMs / 2;
    const confirmedLater = cachedKey(false, { version: half });
    expect([half - 1, half].map((now) => isDue(confirmedLater, limits, now))).toEqual([false, true]);
  });
});
