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

/** A wire format, with all functions that are specific to it. `formats.ts` lists all wire formats. */
export interface WireFormat<Message extends ParsedMessage = ParsedMessage> {
  readonly name: Format;
  /**
   * Returns whether a payload is in this format, judged only by its metadata.
   * @param encoding the payload's `encoding`, not empty
   */
  claims(encoding: Uint8Array, payload: Payload): boolean;
  /**
   * Parses a payload once and checks it against the scope, without a Cloud KMS call.
   * @throws KmsCodecError if the parse already shows that the payload cannot be decrypted
   */
  parse(payload: Payload, scope: Scope): Message;
  /** Returns the decrypted payload, or the same object if the payload passes unchanged. */
  decrypt(message: Message, payload: Payload, call: Call): MaybePromise<Payload>;
  /**
   * Returns the scope of this format's encryption keys. Absent if the format has no data keys, or if the
   * codec only reads the format.
   */
  dataKeyScope?(namespace: string, cryptoKey: string): DataKeyScope;
  /** Encrypts payloads. Absent if the codec only reads this format. */
  encrypt?(payload: Payload, call: Call, options: EncryptOptions): MaybePromise<Encrypted>;
}

export type WritableWireFormat<Message extends ParsedMessage = ParsedMessage> = WireFormat<Message> &
  Required<Pick<WireFormat, 'encrypt'>>;

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

/** Returns a metadata entry as text, which is empty if the entry is absent or has no bytes. */
export function metadataText(payload: Payload, key: string): string {
  const value = payload.metadata?.[key];
  return value?.length ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString() : '';
}

const PROXY_SCHEME = 'gcpkms://';

/**
 * Returns the crypto key resource name in a metadata entry, which may be in temporal-proxy's URL form.
 * Returns undefined for any other text.
 */
export function namedCryptoKey(payload: Payload, entry: string): string | undefined {
  const text = metadataText(payload, entry);
  const name = text.startsWith(PROXY_SCHEME) ? text.slice(PROXY_SCHEME.length) : text;
  return isCryptoKeyName(name) ? name : undefined;
}

export const isEncoding = (encoding: Uint8Array, other: Buffer): boolean =>
  encoding.length === other.length && other.equals(encoding);

/** @throws KmsCodecError `format_not_allowed` if the namespace's rule does not read the format */
export function checkFormat(format: EncryptedFormat, { rule }: Scope): void {
  if (rule.reads.has(format)) return;
  throw new KmsCodecError(
    'format_not_allowed',
    `The payload is in the format ${format}, which the namespace ${rule.namespace} does not read; add the format to "reads" in the rule for the namespace`,
  );
}

/**
 * Returns the given payload, which this codec did not encrypt, without changes.
 * @param what the description of the payload in the error
 * @throws KmsCodecError `format_not_allowed` if the namespace's rule refuses plaintext
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

/** Returns the error for a message whose crypto key the rule does not list. */
export function keyNotListed(namespace: string, keyVersion?: number): KmsCodecError {
  return new KmsCodecError(
    'key_not_allowed',
    `The message names a crypto key that the rule for the namespace ${namespace} does not list; Cloud KMS was not called`,
    { keyVersion },
  );
}

/** @throws KmsCodecError `key_not_allowed` if the keys file denies the message's wrapped key */
export function checkNotDenied(wrapped: Uint8Array, { denies }: Scope, keyVersion?: number): void {
  if (!denies(wrapped)) return;
  throw new KmsCodecError(
    'key_not_allowed',
    `The keys file's deny-list contains the message's wrapped key, ${wrappedKeyHash(wrapped)}: an attacker who ` +
      'knows the key can forge messages. Cloud KMS was not called',
    { keyVersion },
  );
}

/**
 * Checks, before a message is written, that a reader with the same rule would accept its workflow tag.
 * @throws KmsCodecError `format_not_allowed` if the rule requires a tag and the message would have none
 */
export function checkWritten(format: Format, workflowId: string | undefined, { rule }: Scope): void {
  if (rule.workflowTag === undefined || (format === 'envelope-v2' && workflowId)) return;
  // Stryker disable next-line ConditionalExpression,EqualityOperator,StringLiteral: affects only the error's message.
  const why = format === 'envelope-v2' ? 'the context names no workflow' : `the format ${format} has no tag`;
  throw new KmsCodecError(
    'format_not_allowed',
    `The namespace ${rule.namespace} requires a workflow tag in each message, but ${why}; remove "workflowTag" from its ` +
      'rule if the program must write messages without a tag',
  );
}
