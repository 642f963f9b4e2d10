import { KmsCodecError, type ReasonCode } from '../errors.ts';
import { seal } from '../keys/data-key.ts';
import { wrappedKey, type WrappedKey } from '../keys/opened-keys.ts';
import type { SealingKey, SealingPurpose } from '../keys/sealing-keys.ts';
import { parseBox } from '../wire/aead-box.ts';
import { MAX_WRAPPED_KEY_BYTES } from '../wire/header.ts';
import type { Payload } from '../wire/inner-payload.ts';
import type { DataKeys } from './data-keys.ts';
import { decryptMessage } from './decrypt.ts';
import { ENCODING, metadataText } from './encoding.ts';
import type { Scope } from './scope.ts';

/*
 * `binary/envelope-kms`: the guide's envelope. Nothing is bound: no additional authenticated data, neither in the
 * message nor in Cloud KMS. `kms-key` is our addition; the guide's readers ignore it.
 */

const none = new Uint8Array();

export function purposeV1(namespace: string, cryptoKey: string): SealingPurpose {
  return { id: `v1/${namespace.length}/${namespace}${cryptoKey}`, namespace, cryptoKey, aad: none };
}

export function sealV1(key: SealingKey, plaintext: readonly Uint8Array[]): Payload {
  const metadata = {
    encoding: ENCODING.envelope,
    'encrypted-dek': key.wrapped,
    'kms-key': Buffer.from(key.purpose.cryptoKey),
  };
  return { metadata, data: seal(key.key, none, plaintext) };
}

/** The keys that may have wrapped the data key: the named one if it is listed, else all of the namespace's. */
export function candidatesV1(payload: Payload, scope: Scope): readonly string[] {
  const named = metadataText(payload, 'kms-key');
  if (named === '') return scope.rule.keys;
  if (scope.rule.keys.includes(named)) return [named];
  const namespace = scope.rule.namespace;
  throw new KmsCodecError(
    'key_not_allowed',
    `The message names a key that isn't listed for ${namespace}, so Cloud KMS wasn't asked`,
  );
}

function wrappedIn(payload: Payload): Uint8Array {
  const wrapped = payload.metadata?.['encrypted-dek'];
  if (!wrapped?.length) throw new KmsCodecError('malformed', 'The message has no encrypted-dek');
  if (wrapped.length > MAX_WRAPPED_KEY_BYTES)
    throw new KmsCodecError('malformed', `encrypted-dek is longer than ${MAX_WRAPPED_KEY_BYTES} bytes`);
  return wrapped;
}

/** @throws `malformed` when the message has no data key, or one that is too long */
export const wrappedKeyV1 = (payload: Payload, cryptoKey: string): WrappedKey =>
  wrappedKey({ cryptoKey, aad: none, wrapped: wrappedIn(payload) });

/** A message without `kms-key` is tried under each key in order; the answer is remembered with the wrapped key. */
export async function openV1(keys: DataKeys, payload: Payload, scope: Scope): Promise<Payload> {
  const wrapped = wrappedIn(payload);
  const box = parseBox(payload.data ?? none);
  const dataKey = await firstThatOpens(candidatesV1(payload, scope), scope, async (cryptoKey) =>
    keys.withOpened(scope, wrappedKey({ cryptoKey, aad: none, wrapped }), (key) => key),
  );
  // Only the right key unwraps the data key: a message that doesn't open under it is damaged.
  return await decryptMessage(dataKey, { box }, scope);
}

/** What Cloud KMS says of a key without having looked at the message: another one may still open it. */
const saysNothing: ReadonlySet<ReasonCode> = new Set([
  'permission_denied',
  'key_not_found',
  'key_disabled',
  'key_destroy_scheduled',
  'key_destroyed',
]);

/**
 * Tries keys in order until one opens the message. When none does and one of them couldn't be used, that is what is
 * thrown, since it may be the right one. An outage ends it at once: it meets the other keys as well.
 */
export async function firstThatOpens<T>(
  candidates: readonly string[],
  scope: Scope,
  attempt: (cryptoKey: string) => Promise<T>,
): Promise<T> {
  let unusable: KmsCodecError | undefined;
  let refusal = new KmsCodecError(
    'key_not_allowed',
    `No key that may decrypt is listed for ${scope.rule.namespace}`,
  );
  for (const cryptoKey of candidates) {
    try {
      return await attempt(cryptoKey);
    } catch (error) {
      if (!(error instanceof KmsCodecError)) throw error;
      if (saysNothing.has(error.code)) unusable ??= error;
      else if (error.code === 'integrity_failed') refusal = error;
      else throw error;
    }
  }
  throw unusable ?? refusal;
}
