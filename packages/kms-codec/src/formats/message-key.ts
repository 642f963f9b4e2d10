import { keyId } from '../crypto/tags.ts';
import { KmsCodecError, type ReasonCode } from '../errors.ts';
import { isCompressed } from './compression-marker.ts';
import { parseHeader } from './envelope-v2-header.ts';
import { type Format, metadataText, namedCryptoKey } from './format.ts';
import { isFailurePlaceholder } from './failure-placeholder.ts';
import { formatOf } from './formats.ts';
import { isEmpty, type Payload } from './payload.ts';

/** The key that a stored payload needs, as its metadata and header name it. */
export interface MessageKey {
  readonly format: Format;
  /** Resource name of the crypto key, if the format contains the name. */
  readonly key?: string;
  /**
   * The crypto key's id: 16 hexadecimal digits, which `cryptoKeyId` computes from the key's name. Only in
   * `envelope-v2`.
   */
  readonly keyId?: string;
  /** The key version that wrapped the branch key. Only in `envelope-v2`. */
  readonly keyVersion?: number;
  /** The key's id in the keys file. Only in `static`. */
  readonly staticKey?: string;
  /** Set if the payload is in plaintext but reveals nothing: it has no data, or is a failure placeholder. */
  readonly empty?: true;
  /**
   * Why the payload's key is not known. The reason is `malformed` or `unsupported_version` if the header
   * cannot be read. The reason is `layer_unreadable` if another codec encrypted or compressed the payload,
   * which may then contain further messages.
   */
  readonly problem?: Extract<ReasonCode, 'malformed' | 'unsupported_version' | 'layer_unreadable'>;
}

/**
 * Returns which key a stored payload needs. Does not decrypt the payload and, unlike `KmsCodec.inspect`,
 * needs no configuration. The result is an unverified claim of the payload's writer, and does not cover
 * layers inside the message.
 *
 * @example
 * const { format, keyId, keyVersion } = messageKey(payload);
 * if (keyId === cryptoKeyId(name) && keyVersion === 3) console.log(`needs version 3 of ${name} (${format})`);
 */
export function messageKey(payload: Payload): MessageKey {
  const format = formatOf(payload).name;
  switch (format) {
    case 'envelope-v2':
      return { format, ...headerKey(payload) };
    case 'envelope':
    case 'direct':
      return { format, ...named(payload, 'kms-key') };
    case 'proxy':
      return { format, ...named(payload, 'encryption-key-id') };
    case 'static':
      return { format, staticKey: metadataText(payload, 'encryption-key-id') };
    case 'external':
      return { format };
    case 'plain':
      if (isEmpty(payload) || isFailurePlaceholder(payload)) return { format, empty: true };
      return isOfOtherCodec(payload) ? { format, problem: 'layer_unreadable' } : { format };
  }
}

/** Returns a crypto key's id, as in the header of an `envelope-v2` message: 16 hexadecimal digits. */
export const cryptoKeyId = (cryptoKey: string): string => hex(keyId(cryptoKey));

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function headerKey(payload: Payload): Pick<MessageKey, 'keyId' | 'keyVersion' | 'problem'> {
  // The data is compressed, so the header cannot be read.
  if (isCompressed(payload)) return { problem: 'layer_unreadable' };
  try {
    const { header } = parseHeader(payload.data ?? new Uint8Array());
    return { keyId: hex(header.keyId), keyVersion: header.keyVersion };
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    return { problem: error.code === 'unsupported_version' ? 'unsupported_version' : 'malformed' };
  }
}

function named(payload: Payload, entry: string): Pick<MessageKey, 'key'> {
  const key = namedCryptoKey(payload, entry);
  return key === undefined ? {} : { key };
}

/**
 * The encodings that Temporal's converters write. Any other encoding comes from a codec that this library
 * does not know.
 */
const converters: ReadonlySet<string> = new Set([
  '',
  'binary/null',
  'binary/plain',
  'binary/protobuf',
  'json/plain',
  'json/protobuf',
]);

const isOfOtherCodec = (payload: Payload): boolean =>
  isCompressed(payload) || !converters.has(metadataText(payload, 'encoding'));
