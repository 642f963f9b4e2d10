import { COMMITMENT_BYTES, SALT_BYTES } from '../branch-keys/branch-key.ts';
import { KEY_ID_BYTES, TAG_BYTES } from '../crypto/tags.ts';
import { KmsCodecError } from '../errors.ts';
import { MAX_WRAPPED_KEY_BYTES } from '../crypto/wrapped-key.ts';

/**
 * The header of `binary/envelope-kms-v2` (docs/wire-formats.md) consists of all bytes before the nonce. It is
 * the message's additional authenticated data.
 *
 *   version 1 | flags 1 | key id 8 | key version 4 | namespace tag 16 | [workflow tag 16] | salt 16 |
 *   commitment 16 | n 2 | wrapped branch key n
 */
export interface Header {
  readonly compressed: boolean;
  /** The first 8 bytes of the SHA-256 of the crypto key's resource name. */
  readonly keyId: Uint8Array;
  readonly keyVersion: number;
  readonly namespaceTag: Uint8Array;
  readonly workflowTag: Uint8Array | undefined;
  /** Selects one of the branch key's data keys. */
  readonly salt: Uint8Array;
  /** Commits the message to the data key that the salt selects. */
  readonly commitment: Uint8Array;
  /** The Cloud KMS ciphertext of the branch key and its creation date. */
  readonly wrappedKey: Uint8Array;
}

const VERSION = 0x02;
const WORKFLOW_TAG = 0b01;
const COMPRESSED = 0b10;

const FIXED_BYTES = 1 + 1 + KEY_ID_BYTES + 4 + TAG_BYTES;

/**
 * Returns the index of the wrapped key's length, which follows the workflow tag (if any), the salt and the
 * commitment.
 */
const lengthAt = (hasWorkflowTag: boolean): number =>
  FIXED_BYTES + (hasWorkflowTag ? TAG_BYTES : 0) + SALT_BYTES + COMMITMENT_BYTES;

export function buildHeader(header: Header): Uint8Array {
  const { keyId, keyVersion, namespaceTag, workflowTag, salt, commitment, wrappedKey } = header;
  if (wrappedKey.length < 1 || wrappedKey.length > MAX_WRAPPED_KEY_BYTES) {
    throw new KmsCodecError(
      'too_large',
      `Cloud KMS wrapped the branch key into ${wrappedKey.length} bytes, too many for the header`,
    );
  }
  const bytes = new Uint8Array(lengthAt(workflowTag !== undefined) + 2 + wrappedKey.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  bytes[1] = (workflowTag ? WORKFLOW_TAG : 0) | (header.compressed ? COMPRESSED : 0);
  bytes.set(keyId, 2);
  view.setUint32(2 + KEY_ID_BYTES, keyVersion);
  bytes.set(namespaceTag, 2 + KEY_ID_BYTES + 4);
  if (workflowTag) bytes.set(workflowTag, FIXED_BYTES);
  const at = lengthAt(workflowTag !== undefined);
  bytes.set(salt, at - COMMITMENT_BYTES - SALT_BYTES);
  bytes.set(commitment, at - COMMITMENT_BYTES);
  view.setUint16(at, wrappedKey.length);
  bytes.set(wrappedKey, at + 2);
  return bytes;
}

/**
 * Parses the header at the start of a message. The returned fields are views into `data`.
 * @throws KmsCodecError `malformed` (truncated, or a length out of range), `unsupported_version` (an unknown version or
 *   flag)
 */
export function parseHeader(data: Uint8Array): { readonly header: Header; readonly length: number } {
  if (data.length < 2) throw truncated(data.length);
  const flags = data[1] ?? 0;
  if (data[0] !== VERSION) {
    throw new KmsCodecError(
      'unsupported_version',
      `The message has envelope version ${data[0]}; this codec supports only version ${VERSION}`,
    );
  }
  if (flags & ~(WORKFLOW_TAG | COMPRESSED)) {
    throw new KmsCodecError(
      'unsupported_version',
      `The envelope flags 0x${flags.toString(16)} contain an unknown bit`,
    );
  }
  const tagged = (flags & WORKFLOW_TAG) !== 0;
  const at = lengthAt(tagged);
  // The wrapped key has at least one byte.
  if (data.length < at + 2 + 1) throw truncated(data.length);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const wrappedLength = view.getUint16(at);
  if (wrappedLength < 1 || wrappedLength > MAX_WRAPPED_KEY_BYTES) {
    throw new KmsCodecError(
      'malformed',
      `The header declares a wrapped branch key of ${wrappedLength} bytes`,
    );
  }
  const length = at + 2 + wrappedLength;
  if (data.length < length) throw truncated(data.length);
  const keyVersion = view.getUint32(2 + KEY_ID_BYTES);
  if (keyVersion === 0)
    throw new KmsCodecError('malformed', 'The header names key version 0, but key versions start at 1');
  const namespaceAt = 2 + KEY_ID_BYTES + 4;
  return {
    length,
    header: {
      compressed: (flags & COMPRESSED) !== 0,
      keyId: data.subarray(2, 2 + KEY_ID_BYTES),
      keyVersion,
      namespaceTag: data.subarray(namespaceAt, namespaceAt + TAG_BYTES),
      workflowTag: tagged ? data.subarray(FIXED_BYTES, FIXED_BYTES + TAG_BYTES) : undefined,
      salt: data.subarray(at - COMMITMENT_BYTES - SALT_BYTES, at - COMMITMENT_BYTES),
      commitment: data.subarray(at - COMMITMENT_BYTES, at),
      wrappedKey: data.subarray(at + 2, length),
    },
  };
}

/**
 * Returns the first bytes of the salt as a number. Each process chooses its salt at random, so the number
 * usually identifies the writer. However, anyone can write a message with the same number.
 * @returns undefined if the message is bound to a workflow; an arbitrary number if the message is too short
 */
export function saltStart(data: Uint8Array): number | undefined {
  if (((data[1] ?? 0) & WORKFLOW_TAG) !== 0) return undefined;
  const at = FIXED_BYTES;
  return ((data[at] ?? 0) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0);
}

const truncated = (bytes: number) =>
  new KmsCodecError('malformed', `The header is truncated: the message ends at byte ${bytes}`);
