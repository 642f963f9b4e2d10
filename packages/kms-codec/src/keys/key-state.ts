import type { ReasonCode } from '../errors.ts';
import type { DataKeys } from './data-keys.ts';
import type { ResolvedRule } from './key-rules.ts';
import type { DataKeyScope } from './scope-key.ts';

/** How long the keys in memory last without Cloud KMS. */
export interface KeyState {
  /**
   * How many seconds the process could still encrypt, and decrypt with the keys that it used in the last hour. 0: it
   * has no key that encrypts, or Cloud KMS refuses to unwrap it. Infinity: the rule only decrypts, and no key is in
   * use.
   */
  readonly autonomySeconds: number;
  /**
   * Why the last attempt to replace or confirm a key failed, or to wrap or unwrap another key within the last minute;
   * undefined while Cloud KMS answers.
   */
  readonly failure: ReasonCode | undefined;
  /** Age of the branch key or data key that encrypts, in seconds; undefined without such a key. */
  readonly encryptionKeyAgeSeconds: number | undefined;
  /**
   * Seconds since Cloud KMS last unwrapped the oldest key in memory, or wrapped it if this process made it. A revoked
   * key leaves memory at the hard age at the latest. Undefined without keys.
   */
  readonly oldestKeyAgeSeconds: number | undefined;
}

/**
 * Returns the state of a namespace's keys, without a call to Cloud KMS.
 * @param scope of the keys that encrypt; undefined if the rule only decrypts or the format has no such keys
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
