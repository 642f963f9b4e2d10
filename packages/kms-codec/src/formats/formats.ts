import { isCompressed } from './compression-marker.ts';
import { KmsCodecError, type ReasonCode } from '../errors.ts';
import type { WritableFormat } from '../codec-options.ts';
import type { DataKeys } from '../keys/data-keys.ts';
import { direct } from './direct.ts';
import { envelope } from './envelope.ts';
import { envelopeV2 } from './envelope-v2.ts';
import { type Format, metadataText, type WireFormat, type WritableWireFormat } from './format.ts';
import type { ParsedMessage } from './parsed-message.ts';
import { external, plain } from './plain.ts';
import type { Payload } from './payload.ts';
import { proxy } from './proxy.ts';
import type { Scope } from './scope.ts';
import { staticFormat } from './static.ts';

/**
 * All wire formats. The first format that recognizes a payload applies. To add a format, write a file for it
 * and add an entry here.
 */
const wireFormats: readonly WireFormat[] = [envelopeV2, envelope, direct, proxy, staticFormat, external];

export const writableFormats: Readonly<Record<WritableFormat, WritableWireFormat>> = {
  'envelope-v2': envelopeV2,
  envelope,
  direct,
};

/** Returns a payload's format, judged only by its metadata. */
export function formatOf(payload: Payload): WireFormat {
  const encoding = payload.metadata?.['encoding'];
  if (!encoding?.length) return plain;
  for (const format of wireFormats) if (format.claims(encoding, payload)) return format;
  return plain;
}

/** A payload, its format, and either the parsed message or the parse error. */
export interface ParsedPayload {
  readonly payload: Payload;
  readonly format: WireFormat;
  readonly message: ParsedMessage;
  readonly error: KmsCodecError | undefined;
}

const nothing: ParsedMessage = {};

/**
 * Parses a payload, without a Cloud KMS call. If the payload cannot be decrypted, the result contains the
 * error.
 */
export function parsePayload(
  payload: Payload,
  scope: Scope,
  format: WireFormat = formatOf(payload),
): ParsedPayload {
  try {
    return { payload, format, message: format.parse(payload, scope), error: undefined };
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    return { payload, format, message: nothing, error };
  }
}

/**
 * Returns the result for a payload that cannot be parsed, for example because its namespace is not
 * configured.
 */
export const unparsedPayload = (payload: Payload, error: KmsCodecError): ParsedPayload => ({
  payload,
  format: formatOf(payload),
  message: nothing,
  error,
});

/**
 * Describes a payload without decrypting it. Key, key version and namespace are unverified claims until the
 * payload has been decrypted.
 */
export interface PayloadInfo {
  readonly format: Format;
  /** The text of `metadata.encoding`; empty if the entry is absent. */
  readonly encoding: string;
  /** Size of the payload's data in bytes, without metadata. */
  readonly bytes: number;
  /**
   * Set if temporal-proxy has marked the payload as compressed. The codec does not decompress such payloads.
   */
  readonly compressed?: true;
  /** Resource name of the crypto key that the payload names, if the namespace's rule lists that key. */
  readonly key?: string;
  readonly keyVersion?: number;
  /** The namespace that the message names, if its format contains a namespace and the rule accepts it. */
  readonly namespace?: string;
  /** Set if the message is bound to one workflow id. */
  readonly boundToWorkflow?: true;
  /**
   * Why the payload cannot be decrypted, if that is known without Cloud KMS. `not_encrypted` and
   * `external_reference` are warnings about payloads that the codec returns unchanged.
   */
  readonly reason?: ReasonCode;
}

/** A decrypted payload, and what `inspect` returns for the encrypted payload. */
export interface DecryptedPayload {
  readonly payload: Payload;
  readonly info: PayloadInfo;
}

/** Encoded payloads, and what `inspect` returns for each of them. */
export interface EncodedWithInfo {
  readonly payloads: Payload[];
  readonly infos: PayloadInfo[];
}

export function infoOf({ payload, format, message, error }: Parsed): PayloadInfo {
  const info: { -readonly [Field in keyof PayloadInfo]: PayloadInfo[Field] } = {
    format: format.name,
    encoding: metadataText(payload, 'encoding'),
    bytes: payload.data?.length ?? 0,
  };
  const { key } = message;
  const keyVersion = message.keyVersion ?? error?.keyVersion;
  const reason = message.reason ?? error?.code;
  if (isCompressed(payload)) info.compressed = true;
  if (key !== undefined) info.key = key;
  if (keyVersion !== undefined) info.keyVersion = keyVersion;
  if (message.namespace !== undefined) info.namespace = message.namespace;
  if (message.boundToWorkflow) info.boundToWorkflow = true;
  if (reason !== undefined) info.reason = reason;
  return info;
}

type Parsed = Pick<ParsedPayload, 'payload' | 'format' | 'message'> & Partial<Pick<ParsedPayload, 'error'>>;

let uncachedCalls = 0;

/**
 * Adds to `ids` an id for each Cloud KMS call that decoding a payload may need. Payloads with the same
 * wrapped key share an id. A call whose response is never cached gets its own id. A key needs no call if it
 * can be used now or if its failure is cached.
 */
export function addKmsCalls(ids: Set<string>, message: ParsedMessage, keys: DataKeys): void {
  for (const wrapped of message.wrappedKeys ?? []) {
    if (keys.decryption.isReady(wrapped)) break;
    if (!keys.decryption.hasFailed(wrapped)) ids.add(wrapped.id);
  }
  for (let n = message.uncachedCalls ?? 0; n > 0; n -= 1) ids.add(`uncached/${(uncachedCalls += 1)}`);
}
