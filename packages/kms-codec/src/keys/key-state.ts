import type { ReasonCode } from '../errors.ts';
import type { DataKeys } from './data-keys.ts';
import type { ResolvedRule } from './key-rules.ts';
import type { DataKeyScope } from './scope-key.ts';

/** How long a process can continue with the keys in its memory if Cloud KMS does not respond. */
export interface KeyState {
  /**
   * For how many more seconds the process can encrypt, and can decrypt with the keys that it used within the
   * last hour, if Cloud KMS does not respond. 0 if the process has no encryption key, or if Cloud KMS refuses
   * to unwrap that key. Infinity if the rule only decrypts and no key is in use.
   */
  readonly autonomySeconds: number;
  /**
   * Why the last attempt to replace or confirm a key failed, or why an attempt to wrap or unwrap another key
   * failed within the last minute; undefined while Cloud KMS responds.
   */
  readonly failure: ReasonCode | undefined;
  /** Age of the branch key or data key that encrypts, in seconds; undefined if there is no such key. */
  readonly encryptionKeyAgeSeconds: number | undefined;
  /**
   * Seconds since Cloud KMS last unwrapped the oldest key in memory or, if this process created the key,
   * wrapped it. Undefined if there are no keys. A revoked key leaves memory when it reaches the hard age, or
   * earlier.
   */
  readonly oldestKeyAgeSeconds: number | undefined;
}

/**
 * Returns the state of a namespace's keys, without a call to Cloud KMS.
 * @param scope the scope of the encryption keys; undefined if the rule only decrypts or the format has no
 *   such keys
 */
export function keyStateOf(keys: DataKeys, rule: ResolvedRule, scope: DataKeyScope | undefined): KeyState {
  const { encryption, decryption } = keys;
  const writing = scope && encryption.state(scope);
  const reading = decryption.state(rule.namespace);
  const remainingMs = Math.min(writing?.remainingMs ?? Number.POSITIVE_INFINITY, reading.autonomyMs);
  return {
    autonomySeconds: toSeconds(remainingMs),
    failure:
      writing?.failure ??
      (reading.isFailing ? 'kms_unavailable' : undefined) ??
      keys.keyService.failure(rule.keys),
    encryptionKeyAgeSeconds: writing?.ageMs === undefined ? undefined : toSeconds(writing.ageMs),
    oldestKeyAgeSeconds: reading.oldestMs === undefined ? undefined : toSeconds(reading.oldestMs),
  };
}

const toSeconds = (milliseconds: number): number => Math.floor(milliseconds / 1_000);
