import type { KeyObject } from 'node:crypto';
import { type WrappedKey, wrappedKey } from '../../src/crypto/wrapped-key.ts';
import { generateKey, importKey } from '../../src/crypto/data-key.ts';
import type { Observer } from '../../src/index.ts';
import { DecryptionKeys } from '../../src/keys/decryption-keys.ts';
import type { DataKeyLimits } from '../../src/keys/limits.ts';
import { WaitBudget } from '../../src/keys/wait-budget.ts';
import { cryptoKey } from './codec.ts';
import { FakeKeyService } from './fake-key-service.ts';
import { keyContextOf } from './key-context.ts';

const noAad = new Uint8Array();
/** Returns a wait budget that no test exhausts. */
export const patient = () => new WaitBudget(60_000);

/** Returns an empty cache of unwrapped keys, with a clock that the test sets. */
export function newCache(limits: Partial<DataKeyLimits> = {}) {
  const keyService = new FakeKeyService();
  const clock = { time: 1_000_000 };
  const lookups: string[] = [];
  const observer: Observer = { dataKeyLookup: ({ outcome }) => void lookups.push(outcome) };
  const keys = new DecryptionKeys(keyContextOf({ clock, keyService, observer, limits }));

  /** Returns a new data key, wrapped under a key version. */
  const wrap = async (version = 1): Promise<{ key: KeyObject; wrapped: WrappedKey }> => {
    keyService.version = version;
    const plaintext = generateKey();
    const { ciphertext, keyVersion } = await keyService.wrap({
      key: cryptoKey('pay'),
      plaintext,
      aad: noAad,
    });
    const of = { cryptoKey: cryptoKey('pay'), aad: noAad, isBranchKey: false };
    return { key: importKey(plaintext), wrapped: wrappedKey({ ...of, wrapped: ciphertext, keyVersion }) };
  };

  /** Returns another process's wrapped key, under which the cache has decrypted an authentic message. */
  const foreign = async (version = 1): Promise<WrappedKey> => {
    const { wrapped } = await wrap(version);
    await keys.unwrap('pay', wrapped, patient());
    keys.authenticated(wrapped);
    return wrapped;
  };

  /** Returns a wrapped key with which this process encrypts. */
  const own = async (version = 1): Promise<WrappedKey> => {
    const { key, wrapped } = await wrap(version);
    keys.add('pay', wrapped, key, clock.time);
    return wrapped;
  };

  return { keys, keyService, clock, lookups, wrap, foreign, own };
}
