import type { KeyObject } from 'node:crypto';
import { decompressZstd } from '../compression/zstd.ts';
import { decrypt, OVERHEAD_BYTES } from '../crypto/aead.ts';
import { type Derivation, knownDataKey, withDataKey } from '../branch-keys/branch-key.ts';
import { KmsCodecError } from '../errors.ts';
import { asPlaintext, type Plaintext } from '../crypto/plaintext.ts';
import type { WrappedKey } from '../crypto/wrapped-key.ts';
import type { EncryptionKey } from '../keys/scope-key.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';
import type { Encrypted } from './format.ts';
import { memoryOfFields, type Payload, withSerialized } from './payload.ts';
import { countFields, deserialize, readUsual } from './payload-reader.ts';
import type { Call } from './scope.ts';

/**
 * Encrypts a payload under the scope's data key. Encrypts synchronously if a data key is available, and
 * otherwise after Cloud KMS has wrapped a key.
 * @param encryptPieces encrypts the pieces of the serialized payload; must not keep references to them
 */
export function encryptWithDataKey(
  payload: Payload,
  { scope, keys, waitBudget }: Call,
  encryptPieces: (key: EncryptionKey, pieces: readonly Uint8Array[]) => Encrypted,
): MaybePromise<Encrypted> {
  const { dataKeyScope, rule } = scope;
  // Stryker disable next-line ConditionalExpression: `PayloadCipher` has checked the rule.
  if (dataKeyScope === undefined) throw noEncryptionKey(rule.namespace);
  const bytes = payload.data?.length ?? 0;
  const key = keys.encryption.take(dataKeyScope, bytes);
  if (key) return withSerialized(payload, (pieces) => encryptPieces(key, pieces));
  return keys.encryption
    .takeOrWait(dataKeyScope, bytes, waitBudget)
    .then((wrapped) => withSerialized(payload, (pieces) => encryptPieces(wrapped, pieces)));
}

/** Returns the error for a namespace whose rule only decrypts. */
export const noEncryptionKey = (namespace: string): KmsCodecError =>
  new KmsCodecError(
    'key_not_allowed',
    `The rule for the namespace ${namespace} names no crypto key for encryption; add "encrypt" to the rule`,
  );

export interface Encryption {
  /** Additional authenticated data, if the format has any; in the message, it precedes the nonce. */
  readonly aad?: Uint8Array;
  readonly isCompressed?: boolean;
  /** How the data key is derived from the wrapped branch key. Absent if the wrapped key is the data key. */
  readonly derivation?: Derivation;
}

/** The encryption in formats without a header: AES-256-GCM under the wrapped key itself. */
export const noHeader: Encryption = {};
const noBytes = new Uint8Array();

/**
 * Decrypts a message with a wrapped key. Decrypts synchronously if the key is cached, and otherwise after
 * Cloud KMS has unwrapped the key. The caller must have checked that the rule lists the wrapped key's crypto
 * key.
 */
export function decryptWithWrappedKey(
  wrappedKey: WrappedKey,
  payload: Payload,
  encryption: Encryption,
  call: Call,
): MaybePromise<Payload> {
  const key = keyOf(wrappedKey, call);
  if (!(key instanceof Promise)) return decryptMessage(key, payload, encryption, call, wrappedKey);
  return key.then((unwrapped) => {
    // Prepares for the fleet's next messages only after Cloud KMS has unwrapped the key, because anyone can
    // write a message that names the namespace.
    call.keys.willRead(call.scope.dataKeyScope);
    return andThen(decryptMessage(unwrapped, payload, encryption, call, wrappedKey), (decrypted) => {
      call.keys.decryption.authenticated(wrappedKey);
      return decrypted;
    });
  });
}

/**
 * Returns an unwrapped key from the cache or from Cloud KMS. Call this function before each derivation of a
 * data key, because a branch key that has left the cache must decrypt nothing.
 */
export function keyOf(wrappedKey: WrappedKey, { scope, keys, waitBudget }: Call): MaybePromise<KeyObject> {
  const { namespace } = scope.rule;
  return (
    keys.decryption.cached(namespace, wrappedKey) ?? keys.decryption.unwrap(namespace, wrappedKey, waitBudget)
  );
}

/**
 * Decrypts a message and parses the payload in it. Reserves memory from the call's budget before any
 * allocation.
 * @param key the data key or, if `encryption` has a `derivation`, the branch key
 * @param wrappedKey the wrapped form of `key`, if Cloud KMS wrapped it
 * @throws KmsCodecError `too_large`, `integrity_failed`, `malformed`, or a code that says why Cloud KMS no
 *   longer unwraps the key
 */
export function decryptMessage(
  key: KeyObject,
  { data }: Payload,
  encryption: Encryption,
  call: Call,
  wrappedKey?: WrappedKey,
): MaybePromise<Payload> {
  const bytes = data ?? noBytes;
  if (call.options.overwrite) return decryptReserved(key, bytes, encryption, call);
  const reserved = call.budget.reserve(plaintextBytes(bytes, encryption));
  if (!(reserved instanceof Promise)) return decryptReserved(key, bytes, encryption, call);
  // Gets the key again, because Cloud KMS may have refused it while the payload waited for memory.
  return reserved
    .then(() => (wrappedKey ? keyOf(wrappedKey, call) : key))
    .then((usable) => decryptReserved(usable, bytes, encryption, call));
}

const plaintextBytes = ({ length }: Uint8Array, { aad }: Encryption): number =>
  Math.max(0, length - OVERHEAD_BYTES - (aad?.length ?? 0));

function decryptReserved(
  key: KeyObject,
  data: Uint8Array,
  encryption: Encryption,
  call: Call,
): MaybePromise<Payload> {
  const { aad, derivation } = encryption;
  const { overwrite } = call.options;
  const start = aad?.length;
  const plaintext = derivation
    ? withDataKey(key, derivation, (dataKey) => decrypt(dataKey, aad, data, start, overwrite))
    : decrypt(key, aad, data, start, overwrite);
  if (!encryption.isCompressed) return parsePlaintext(plaintext, call);
  const decompressed = decompressZstd(plaintext, call.maxDecompressedBytes, call.budget);
  return andThen(decompressed, (content) => parsePlaintext(asPlaintext(content), call));
}

/**
 * Decrypts an uncompressed message synchronously and without a budget.
 * @param key the branch key
 * @returns undefined if the message cannot be decrypted this way
 */
export function tryDecrypt(
  key: KeyObject,
  data: Uint8Array,
  { aad, derivation }: Required<Encryption>,
): Payload | undefined {
  const dataKey = knownDataKey(key, derivation);
  try {
    if (dataKey) return parseUnbudgeted(decrypt(dataKey, aad, data, aad.length));
  } catch {
    // The caller then decrypts without this shortcut, which throws the same error.
  }
  return undefined;
}

/**
 * Parses the payload in a plaintext.
 * @throws KmsCodecError `malformed`; `too_large` if the payload has more fields than the budget allows
 */
export function parsePlaintext(plaintext: Plaintext, { budget }: Call): MaybePromise<Payload> {
  const unbudgeted = parseUnbudgeted(plaintext);
  if (unbudgeted) return unbudgeted;
  const memory = memoryOfFields(countFields(plaintext));
  return andThen(budget.reserve(memory), () => deserialize(plaintext));
}

/**
 * Parses the payload in a plaintext. Returns undefined if the payload has so many fields that memory must be
 * reserved for them.
 */
function parseUnbudgeted(plaintext: Plaintext): Payload | undefined {
  const usual = readUsual(plaintext);
  // Stryker disable next-line ConditionalExpression: affects only the speed.
  if (usual) return usual;
  return memoryOfFields(countFields(plaintext)) === 0 ? deserialize(plaintext) : undefined;
}
