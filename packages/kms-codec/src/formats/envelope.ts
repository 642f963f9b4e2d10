import { checkLength, encrypt } from '../crypto/aead.ts';
import { KmsCodecError, reasons } from '../errors.ts';
import { MAX_WRAPPED_KEY_BYTES, wrappedKey, type WrappedKey } from '../crypto/wrapped-key.ts';
import { decryptMessage, encryptWithDataKey, keyOf, noHeader } from './aead-message.ts';
import {
  checkFormat,
  checkNotDenied,
  isEncoding,
  keyNotListed,
  metadataText,
  type WritableWireFormat,
} from './format.ts';
import type { ParsedMessage } from './parsed-message.ts';
import type { Payload } from './payload.ts';
import type { Call, Scope } from './scope.ts';

/*
 * `binary/envelope-kms` is the guide's envelope encryption. Neither the message nor the wrapped key has
 * additional authenticated data. The metadata entry `kms-key` is an addition of this project, which the
 * guide's readers ignore.
 */

const ENCODING = Buffer.from('binary/envelope-kms');
const noBytes = new Uint8Array();

interface EnvelopeMessage extends ParsedMessage {
  readonly wrappedKeys: readonly WrappedKey[];
}

export const envelope: WritableWireFormat<EnvelopeMessage> = {
  name: 'envelope',

  claims: (encoding) => isEncoding(encoding, ENCODING),

  parse(payload, scope) {
    checkFormat('envelope', scope);
    const wrapped = wrappedIn(payload);
    checkLength(payload.data ?? noBytes);
    const candidates = candidateKeys(payload, scope);
    checkNotDenied(wrapped, scope);
    return {
      key: candidates.length === 1 ? candidates[0] : undefined,
      wrappedKeys: candidates.map((cryptoKey) =>
        wrappedKey({ cryptoKey, aad: noBytes, wrapped, isBranchKey: false }),
      ),
    };
  },

  async decrypt({ wrappedKeys }, payload, call) {
    const [key, wrapped] = await firstThatDecrypts(
      wrappedKeys,
      call,
      async (candidate) => [await keyOf(candidate, call), candidate] as const,
    );
    // If decryption fails here, the message was modified, because only the right crypto key unwraps the data
    // key. Therefore, the codec tries no other key.
    return await decryptMessage(key, payload, noHeader, call, wrapped);
  },

  dataKeyScope: (namespace, cryptoKey) => ({
    id: `v1/${namespace.length}/${namespace}${cryptoKey}`,
    namespace,
    cryptoKey,
    aad: noBytes,
    info: noBytes,
  }),

  encrypt: (payload, call) =>
    encryptWithDataKey(payload, call, ({ key, scope, source }, pieces) => {
      const { cryptoKey } = scope;
      const metadata = {
        encoding: ENCODING,
        'encrypted-dek': source.wrapped,
        'kms-key': Buffer.from(cryptoKey),
      };
      return { payload: { metadata, data: encrypt(key, noBytes, pieces) }, message: { key: cryptoKey } };
    }),
};

function wrappedIn(payload: Payload): Uint8Array {
  const wrapped = payload.metadata?.['encrypted-dek'];
  if (!wrapped?.length) throw new KmsCodecError('malformed', 'The message has no encrypted-dek');
  if (wrapped.length > MAX_WRAPPED_KEY_BYTES) {
    throw new KmsCodecError('malformed', `encrypted-dek is longer than ${MAX_WRAPPED_KEY_BYTES} bytes`);
  }
  // Copies the bytes, because the cache of data keys would otherwise keep the whole payload's buffer, which
  // the payload's owner may want to free.
  return new Uint8Array(wrapped);
}

/**
 * Returns the crypto keys to try for a message without a header: the key that its metadata names, or all keys
 * of the namespace.
 * @throws KmsCodecError `key_not_allowed` if the rule does not list the named key
 */
export function candidateKeys(payload: Payload, { rule }: Scope): readonly string[] {
  const named = metadataText(payload, 'kms-key');
  if (named === '') return rule.keys;
  if (rule.keys.includes(named)) return [named];
  throw keyNotListed(rule.namespace);
}

/**
 * Tries candidates in order until one of them decrypts the message. If all candidates fail, and one of the
 * crypto keys could not be used, throws that key's error, because that key may be the right key. A Cloud KMS
 * outage ends the attempts, because an outage affects all keys.
 */
export async function firstThatDecrypts<Candidate, T>(
  candidates: readonly Candidate[],
  { scope }: Call,
  attempt: (candidate: Candidate) => Promise<T>,
): Promise<T> {
  let unusable: KmsCodecError | undefined;
  let failure = new KmsCodecError(
    'key_not_allowed',
    `The rule for the namespace ${scope.rule.namespace} lists no crypto key for decryption`,
  );
  for (const candidate of candidates) {
    try {
      return await attempt(candidate);
    } catch (error) {
      if (!(error instanceof KmsCodecError)) throw error;
      // Another key may have encrypted the message.
      if (reasons[error.code].refused !== undefined) unusable ??= error;
      else if (error.code === 'integrity_failed') failure = error;
      else throw error;
    }
  }
  throw unusable ?? failure;
}
