import { isCryptoKeyName } from '../crypto-key-name.ts';
import { KmsCodecError } from '../errors.ts';
import { wrappedKeyHash } from '../crypto/wrapped-key.ts';
import type { DataKeyScope } from '../keys/scope-key.ts';
import type { EncryptedFormat } from '../keys/key-rules.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { ParsedMessage } from './parsed-message.ts';
import type { Payload } from './payload.ts';
import type { Call, Scope } from './scope.ts';

/** How a payload is stored: encrypted in one of the formats, as a reference to external storage, or in plaintext. */
export type Format = EncryptedFormat | 'external' | 'plain';

/** A wire format: everything that the codec knows about it. `formats.ts` lists all of them. */
export interface WireFormat<Message extends ParsedMessage = ParsedMessage> {
  readonly name: Format;
  /**
   * Whether a payload is in this format, from its metadata alone.
   * @param encoding the payload's `encoding`, not empty
   */
  claims(encoding: Uint8Array, payload: Payload): boolean;
  /**
   * Parses a payload once and checks it against the scope, without a Cloud KMS call.
   * @throws KmsCodecError why the payload cannot be decrypted, as far as that is known
   */
  parse(payload: Payload, scope: Scope): Message;
  /** Returns the decrypted payload, or the same object when the payload passes unchanged. */
  decrypt(message: Message, payload: Payload, call: Call): MaybePromise<Payload>;
  /** Returns the scope of the keys that encrypt in this format. Absent: it has no data keys, or is only read. */
  dataKeyScope?(namespace: string, cryptoKey: string): DataKeyScope;
  /** Absent: the codec only reads this format. */
  encrypt?(payload: Payload, call: Call, options: EncryptOptions): MaybePromise<Encrypted>;
}

/** A wire format that the codec writes. */
export type WritableWireFormat<Message extends ParsedMessage = ParsedMessage> = WireFormat<Message> &
  Required<Pick<WireFormat, 'encrypt'>>;

/** How a payload is encrypted. */
export interface EncryptOptions {
  readonly cryptoKey: string;
  readonly compression: 'zstd' | undefined;
  /** Binds the message to a workflow. */
  readonly workflowId: string | undefined;
}

/** An encrypted payload, and what `parse` would return for it. */
export interface Encrypted {
  readonly payload: Payload;
  readonly message: ParsedMessage;
}

/** Returns a metadata entry as text; empty when it is absent. protobuf's reader returns an empty array for no bytes. */
export function metadataText(payload: Payload, key: string): string {
  const value = payload.metadata?.[key];
  return value?.length ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString() : '';
}

/** Bytes of the longest name, or of temporal-proxy's URL of it. */
const MAX_NAME_BYTES = 512;
const PROXY_SCHEME = 'gcpkms://';

/**
 * Returns the resource name of the crypto key that a metadata entry contains, or that is in temporal-proxy's URL.
 * Undefined for any other text.
 */
export function namedCryptoKey(payload: Payload, entry: string): string | undefined {
  if ((payload.metadata?.[entry]?.length ?? 0) > MAX_NAME_BYTES) return undefined;
  const text = metadataText(payload, entry);
  const name = text.startsWith(PROXY_SCHEME) ? text.slice(PROXY_SCHEME.length) : text;
  return isCryptoKeyName(name) ? name : undefined;
}

/** Whether two encodings are equal. */
export const isEncoding = (encoding: Uint8Array, other: Buffer): boolean =>
  encoding.length === other.length && other.equals(encoding);

/** @throws KmsCodecError `format_not_allowed` when the namespace's rule does not read the format */
export function checkFormat(format: EncryptedFormat, { rule }: Scope): void {
  if (rule.reads.has(format)) return;
  throw new KmsCodecError(
    'format_not_allowed',
    `The payload is in the format ${format}, which the namespace ${rule.namespace} does not read; add the format to "reads" in its rule`,
  );
}

/**
 * Returns a payload that this codec did not encrypt, unchanged.
 * @param what the payload is, for the error
 * @throws KmsCodecError `format_not_allowed` when the namespace's rule refuses such payloads
 */
export function passThrough(
  payload: Payload,
  { rule }: Scope,
  what = 'is not encrypted by this codec',
): Payload {
  if (rule.plaintext !== 'refuse') return payload;
  throw new KmsCodecError(
    'format_not_allowed',
    `The payload ${what}, and the rule for the namespace ${rule.namespace} refuses plaintext`,
  );
}

/** Returns the error for a message whose crypto key is not listed. */
export function keyNotListed(namespace: string, keyVersion?: number): KmsCodecError {
  return new KmsCodecError(
    'key_not_allowed',
    `The message names a crypto key that the rule for the namespace ${namespace} does not list; Cloud KMS was not called`,
    { keyVersion },
  );
}

/** @throws KmsCodecError `key_not_allowed` when the keys file denies the message's wrapped key */
export function checkNotDenied(wrapped: Uint8Array, { denies }: Scope, keyVersion?: number): void {
  if (!denies(wrapped)) return;
  throw new KmsCodecError(
    'key_not_allowed',
    `The deny-list of the keys file contains the message's wrapped key, ${wrappedKeyHash(wrapped)}: an attacker who ` +
      'knows the key can forge messages. Cloud KMS was not called',
    { keyVersion },
  );
}

/**
 * Checks that a reader under the same rule would accept the message's workflow tag.
 * @throws KmsCodecError `format_not_allowed` when the rule requires a tag, and the message would have none
 */
export function checkWritten(format: Format, workflowId: string | undefined, { rule }: Scope): void {
  if (rule.workflowTag === undefined || (format === 'envelope-v2' && workflowId)) return;
  const why = format === 'envelope-v2' ? 'no workflow id is known here' : `the format ${format} has no tag`;
  throw new KmsCodecError(
    'format_not_allowed',
    `The namespace ${rule.namespace} requires a workflow tag in each message, but ${why}; remove "workflowTag" from its ` +
      'rule if the program has to write such messages',
  );
}
