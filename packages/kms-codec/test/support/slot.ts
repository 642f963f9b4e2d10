import { createSecretKey, randomBytes } from 'node:crypto';
import { vi } from 'vitest';
import { KmsCodecError, type ReasonCode } from '../../src/errors.ts';
import { DecryptionKeys } from '../../src/keys/decryption-keys.ts';
import { EncryptionSlot } from '../../src/keys/encryption-slot.ts';
import { asWrappedKey, type ScopeKey } from '../../src/keys/scope-key.ts';
import { FakeKeyService } from './fake-key-service.ts';
import { minute } from './fleet.ts';
import { keyContextOf, scope } from './key-context.ts';

/** The hard age in these tests; the soft age is a minute. */
export const HARD = 10 * minute;

/** Cloud KMS does not respond to the calls that revalidate keys. */
class Silent extends FakeKeyService {
  override unwrap = () => new Promise<never>(() => undefined);
}

/**
 * Returns a slot with a key, whose refresh is due at exactly 75 % of its soft age. Mocks `Math.random`.
 * @param confirmed when Cloud KMS last confirmed the key, in ms after its creation
 */
export function slotOf({ isShared = false, confirmed = 0, softAgeMs = minute } = {}) {
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const start = 1_000_000;
  const clock = { time: start };
  const limits = { softAgeMs, hardAgeMs: HARD };
  const context = keyContextOf({ clock, limits, keyService: new Silent() });
  const decryption = new DecryptionKeys(context);
  const slot = new EncryptionSlot(scope, context, decryption, isShared);
  const bornAt = (ms: number): ScopeKey => {
    const [created, key] = [start + ms, createSecretKey(randomBytes(32))];
    return { key, wrapped: randomBytes(100), keyVersion: 1, created, born: created };
  };
  const key = bornAt(0);
  slot.adopt(key);
  const wrapped = asWrappedKey(scope, key);
  decryption.add('pay', wrapped, key.key, start + confirmed);
  /** Sets the clock to `ms` after the key's creation. */
  const at = (ms: number) => (clock.time = start + ms);
  return {
    slot,
    key,
    bornAt,
    at,
    dueAt: (ms: number) => slot.due(at(ms)),
    encryptsAt: (ms: number) => slot.take(1, at(ms)) !== undefined,
    usableAt: (ms: number) => (at(ms), slot.usable !== undefined),
    refuse: (code: ReasonCode, graceUntil = 0) =>
      decryption.refused.add('pay', wrapped, code, start + graceUntil),
    /** Records that Cloud KMS has once unwrapped a key for this process. */
    becomeReadable: () => void decryption.refused.readable.add(scope.cryptoKey),
  };
}

export const unavailable = new KmsCodecError('kms_unavailable', 'no response');
export const rejected = new KmsCodecError('key_disabled', 'disabled');
