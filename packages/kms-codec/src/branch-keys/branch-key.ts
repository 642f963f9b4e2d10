import { createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import { authenticationFailed } from '../crypto/aead.ts';
import { DATA_KEY_BYTES } from '../crypto/data-key.ts';
import { fillRandom } from '../crypto/random.ts';

export const SALT_BYTES = 16;
export const COMMITMENT_BYTES = 16;

/** Returns a new random salt. A salt selects one of a branch key's data keys. */
export function generateSalt(): Uint8Array {
  const words = new Uint32Array(SALT_BYTES / Uint32Array.BYTES_PER_ELEMENT);
  fillRandom(words);
  return new Uint8Array(words.buffer);
}

/**
 * A data key, and the bytes that commit a message to this key. Without a commitment, an attacker can craft an
 * AES-GCM ciphertext that decrypts under two keys.
 */
export interface DerivedKey {
  readonly key: KeyObject;
  readonly commitment: Uint8Array;
}

/**
 * Returns the data key that a salt selects from a branch key, and the data key's commitment. HKDF-SHA-256
 * (RFC 5869) derives both.
 */
export function deriveDataKey(branchKey: KeyObject, salt: Uint8Array, info: Uint8Array): DerivedKey {
  const length = DATA_KEY_BYTES + COMMITMENT_BYTES;
  const bytes = new Uint8Array(hkdfSync('sha256', branchKey, salt, info, length));
  const key = createSecretKey(bytes.subarray(0, DATA_KEY_BYTES));
  const commitment = bytes.slice(DATA_KEY_BYTES);
  // Stryker disable next-line CallExpression: no other code can read this memory.
  bytes.fill(0);
  return { key, commitment };
}

/** How a message's data key is derived from its branch key. */
export interface Derivation {
  /**
   * Identifies the data key among those of its branch key. Unique for each combination of salt, info and
   * commitment.
   */
  readonly id: string;
  readonly salt: Uint8Array;
  readonly info: Uint8Array;
  /** The commitment that the message contains. */
  readonly commitment: Uint8Array;
}

/**
 * Returns a derivation with its id, which concatenates the parts. No two derivations share an id, because
 * salts and commitments have fixed lengths.
 */
export function derivation(salt: Uint8Array, commitment: Uint8Array, info: Uint8Array): Derivation {
  return { id: Buffer.concat([salt, commitment, info]).toString('latin1'), salt, commitment, info };
}

/**
 * Maximum number of derived keys in memory per branch key. Deriving a key again takes about as long as
 * decrypting 1 KiB.
 */
const MAX_DERIVED_KEYS = 64;

/**
 * The derived keys of each branch key. The map is weak, so that derived keys leave memory when their branch
 * key is evicted.
 */
const derivedKeys = new WeakMap<KeyObject, Map<string, KeyObject>>();

/** Returns a branch key's data key if it is in memory. Does not mark the data key as recently used. */
export const knownDataKey = (branchKey: KeyObject, { id }: Derivation): KeyObject | undefined =>
  derivedKeys.get(branchKey)?.get(id);

/**
 * Calls `use` with a branch key's data key, which comes from memory if it was used recently. Keeps the data
 * key in memory unless `use` throws, so that an attacker, who can write any salt into a header, cannot fill the
 * memory with data keys that decrypt nothing.
 * @throws KmsCodecError `integrity_failed` if the message is committed to another data key
 */
export function withDataKey<T>(branchKey: KeyObject, derived: Derivation, use: (key: KeyObject) => T): T {
  const { id } = derived;
  const keys = derivedKeys.get(branchKey);
  const known = keys?.get(id);
  if (known && keys?.size === 1) return use(known);
  const key = known ?? deriveCommitted(branchKey, derived);
  const result = use(key);
  if (keys) keepDataKey(keys, id, key);
  // Uses a Map, because most branch keys have only one salt, and an LRUCache allocates memory for its maximum
  // size.
  else derivedKeys.set(branchKey, new Map([[id, key]]));
  return result;
}

function deriveCommitted(branchKey: KeyObject, { salt, info, commitment }: Derivation): KeyObject {
  const derived = deriveDataKey(branchKey, salt, info);
  if (!timingSafeEqual(derived.commitment, commitment)) throw authenticationFailed();
  return derived.key;
}

function keepDataKey(keys: Map<string, KeyObject>, id: string, key: KeyObject): void {
  // A Map keeps insertion order, so its first key is the least recently used key.
  keys.delete(id);
  keys.set(id, key);
  for (const [oldest] of keys) {
    if (keys.size <= MAX_DERIVED_KEYS) break;
    keys.delete(oldest);
  }
}
