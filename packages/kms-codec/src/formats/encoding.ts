import type { SealedFormat } from '../keys/key-rules.ts';
import type { Payload } from '../wire/inner-payload.ts';

/** How a payload is kept: sealed in one of our formats, a reference to external storage, or anything else. */
export type Format = SealedFormat | 'external' | 'plain';

/** Protobuf's reader gives an empty array for a value that is not there. */
const text = (value: Uint8Array | null | undefined): string =>
  value?.length ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString() : '';

export const metadataText = (payload: Payload, key: string): string => text(payload.metadata?.[key]);

const ENVELOPE_V2 = 'binary/envelope-kms-v2';

export const ENCODING = {
  envelopeV2: Buffer.from(ENVELOPE_V2),
  envelope: Buffer.from('binary/envelope-kms'),
  direct: Buffer.from('binary/gcp-kms'),
} as const;

/** Names the format of a payload by its metadata alone: a claim until it has opened. */
export function formatOf(payload: Payload): Format {
  const encoding = payload.metadata?.['encoding'];
  if (encoding?.length && ENCODING.envelopeV2.equals(encoding)) return 'envelope-v2';
  switch (text(encoding)) {
    case 'binary/envelope-kms':
      return 'envelope';
    case 'binary/gcp-kms':
      return 'direct';
    case 'binary/encrypted':
      // Temporal's proxy and the SDKs' samples share the encoding; only the proxy writes a data key.
      if (payload.metadata?.['encryption-dek']) return 'proxy';
      return payload.metadata?.['encryption-key-id'] ? 'static' : 'plain';
    case 'json/external-storage-reference':
      return 'external';
    case 'json/protobuf':
      return metadataText(payload, 'messageType') === 'temporal.api.sdk.v1.ExternalStorageReference'
        ? 'external'
        : 'plain';
    default:
      return 'plain';
  }
}

/** `metadata.encoding` as it stands, for a payload of a known format; empty when there is none. */
export const encodingOf = (payload: Payload, format: Format): string =>
  format === 'envelope-v2' ? ENVELOPE_V2 : metadataText(payload, 'encoding');

/** Nothing is in it: no data, and no encoding but the one that says so. */
export function isEmpty(payload: Payload): boolean {
  if (payload.data && payload.data.length > 0) return false;
  const encoding = metadataText(payload, 'encoding');
  return encoding === '' || encoding === 'binary/null';
}
