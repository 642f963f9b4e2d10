import { describe, expect, it, vi } from 'vitest';
import type { WrappedKey } from '../../src/crypto/wrapped-key.ts';
import { KmsCodecError, type ReasonCode } from '../../src/errors.ts';
import { newCache, patient } from '../support/decryption.ts';
import { minute, settle } from '../support/fleet.ts';

/**
 * Reads a message under a key, and returns the keys that Cloud KMS then refuses, in the order of the calls.
 */
async function refusedKeys({ keys, keyService, clock }: ReturnType<typeof newCache>, first: WrappedKey) {
  const asked: Uint8Array[] = [];
  keyService.unwrap = async ({ ciphertext }) => {
    asked.push(ciphertext);
    throw new KmsCodecError('key_disabled', 'disabled on demand');
  };
  clock.time += 4.1 * minute;
  keys.cached('pay', first);
  await settle();
  return asked;
}

// [C-8]
describe('a key version that Cloud KMS refuses', () => {
  it('makes only the version’s keys unusable, and only until Cloud KMS unwraps them again', async () => {
    const { keys, keyService, clock, foreign, own } = newCache();
    const [first, writing, other] = [await foreign(1), await own(1), await own(2)];
    const confirmedUntil = keys.confirmedUntil(writing);
    keyService.disabled.add(1);
    clock.time += 4.1 * minute;
    keys.cached('pay', first);
    await settle();
    const ready = [first, writing, other].map((wrapped) => keys.isReady(wrapped));
    expect(ready).toEqual([false, false, true]);
    expect([keys.refused.codeOf(writing), keys.refused.codeOf(first)]).toEqual(['key_disabled', undefined]);
    expect(keys.confirmedUntil(writing)).toBe(confirmedUntil);
    keyService.disabled.delete(1);
    for (const wrapped of [first, writing]) await keys.unwrap('pay', wrapped, patient());
    expect([keys.isReady(first), keys.isReady(writing)]).toEqual([true, true]);
    expect(keys.mayUse(writing, clock.time)).toBe(true);
    expect(keys.refused.codeOf(writing)).toBeUndefined();
  });

  it('is tested again with one of this process’s own keys, whose version is certain', async () => {
    const cache = newCache();
    const [first, writing] = [await cache.foreign(), await cache.own()];
    for (let n = 0; n < 50; n += 1) await cache.foreign();
    expect(await refusedKeys(cache, first)).toEqual([first.wrapped, writing.wrapped]);
  });

  it('is tested again with a random key if this process does not encrypt, so that an attacker cannot choose the key', async () => {
    const cache = newCache();
    const first = await cache.foreign();
    const others = [await cache.foreign(), await cache.foreign(), await cache.foreign()];
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const asked = await refusedKeys(cache, first);
    vi.restoreAllMocks();
    expect(asked).toEqual([first.wrapped, others[1]!.wrapped]);
  });

  it.each([
    ['foreign', 'unwraps', undefined],
    ['foreign', 'does not respond for', 'kms_unavailable'],
    ['own', 'unwraps', undefined],
    ['own', 'does not respond for', 'kms_unavailable'],
  ] as const)(
    'makes only the %s key unusable if Cloud KMS %s a second key',
    async (of, _, code: ReasonCode | undefined) => {
      const { keys, keyService, clock, foreign, own } = newCache();
      const refused = await { foreign, own }[of]();
      const other = await foreign();
      const unwrap = keyService.unwrap.bind(keyService);
      keyService.unwrap = (request) => {
        const failure = request.ciphertext === refused.wrapped ? 'key_disabled' : code;
        return failure ? Promise.reject(new KmsCodecError(failure, 'failed on demand')) : unwrap(request);
      };
      clock.time += 4.1 * minute;
      keys.cached('pay', refused);
      await settle();
      expect([keys.isReady(refused), keys.isReady(other)]).toEqual([false, true]);
      expect(keys.refused.codeOf(refused)).toBe(of === 'own' ? 'key_disabled' : undefined);
      keyService.unwrap = unwrap;
      clock.time += 6 * minute;
      await foreign();
      expect(keys.isReady(other)).toBe(true);
    },
  );
});
