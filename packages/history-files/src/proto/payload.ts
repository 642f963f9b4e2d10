import { UNREADABLE_ENCODING } from '@temporal-kms/codec-api';
import type { temporal } from '@temporalio/proto';
import { stringify } from 'lossless-json';

export type Payload = temporal.api.common.v1.IPayload;

/**
 * Reads a payload as Temporal's tools write it:
 *
 * - `{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "…"}`: proto3 JSON, with base64
 * - `{"metadata": {"encoding": "json/plain"}, "data": {…}}`: the readable form of Temporal's Web UI, with text and values
 * - any other value: the shorthand of Temporal's Go libraries (go.temporal.io/api/common/v1, payload_json.go), in which
 *   `null` is `binary/null`, an object with `_protoMessageType` is `json/protobuf`, and the rest is `json/plain`
 */
export function payloadFromJson(value: unknown): Payload {
  if (!isRecord(value) || !isRecord(value['metadata']) || !isPayload(value)) return shorthand(value);
  const metadata = Object.entries(value['metadata']);
  const data = value['data'];
  if (isEncoded(value['metadata']) && (data === undefined || data === null || isBase64(data))) {
    return {
      metadata: Object.fromEntries(metadata.map(([key, text]) => [key, Buffer.from(String(text), 'base64')])),
      ...(typeof data === 'string' ? { data: Buffer.from(data, 'base64') } : {}),
      ...externalPayloads(value['externalPayloads']),
    };
  }
  if (!metadata.every(([, text]) => typeof text === 'string')) return shorthand(value);
  return {
    metadata: Object.fromEntries(metadata.map(([key, text]) => [key, Buffer.from(String(text))])),
    ...(value['metadata']['encoding'] === 'binary/null' ? {} : { data: jsonBytes(data ?? null) }),
    ...externalPayloads(value['externalPayloads']),
  };
}

/** Returns an external payload's size as proto3 JSON writes it, as in the message. */
function externalPayloads(value: unknown): Pick<Payload, 'externalPayloads'> {
  if (!Array.isArray(value) || value.length === 0) return {};
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- protobufjs accepts text for a 64-bit integer
  const sizes = value.map((one: unknown) => ({
    sizeBytes: String(isRecord(one) ? one['sizeBytes'] : 0),
  })) as unknown as NonNullable<Payload['externalPayloads']>;
  return { externalPayloads: sizes };
}

const fieldsOfPayload = new Set(['metadata', 'data', 'externalPayloads']);
const isPayload = (value: Record<string, unknown>): boolean =>
  Object.keys(value).every((key) => fieldsOfPayload.has(key));

const isBase64 = (text: unknown): boolean =>
  typeof text === 'string' && text.length % 4 === 0 && /^[A-Za-z0-9+/_-]*={0,2}$/.test(text);

/**
 * Whether the metadata's values are base64, and not text. `binary/plain` consists of base64's characters too, but the
 * base64 of an encoding decodes to printable characters.
 */
function isEncoded(metadata: Record<string, unknown>): boolean {
  if (!Object.values(metadata).every(isBase64)) return false;
  const { encoding } = metadata;
  return typeof encoding !== 'string' || /^[\x20-\x7e]*$/.test(Buffer.from(encoding, 'base64').toString());
}

function shorthand(value: unknown): Payload {
  if (value === null || value === undefined) return encoded('binary/null');
  if (isRecord(value) && typeof value['_protoMessageType'] === 'string') {
    const { _protoMessageType: messageType, ...message } = value;
    return {
      metadata: { encoding: Buffer.from('json/protobuf'), messageType: Buffer.from(messageType) },
      data: jsonBytes(message),
    };
  }
  return encoded('json/plain', jsonBytes(value));
}

/**
 * Reads a payload of the codec server's readable export, which contains the payload's JSON in its place, or an object
 * with one of the marks `$text`, `$bytes`, `$value` and `$unreadable`. An unreadable payload becomes the payload that a
 * decoded export contains in its place.
 */
export function payloadFromReadable(value: unknown): Payload {
  if (!isRecord(value)) return shorthand(value);
  if ('$value' in value) return encoded('json/plain', jsonBytes(value['$value']));
  const encoding = typeof value['encoding'] === 'string' ? value['encoding'] : 'binary/plain';
  if (typeof value['$text'] === 'string') return encoded(encoding, Buffer.from(value['$text']));
  if (typeof value['$bytes'] === 'string') return encoded(encoding, Buffer.from(value['$bytes'], 'base64'));
  if (isRecord(value['$unreadable'])) return unreadable(value['$unreadable']);
  return encoded('json/plain', jsonBytes(value));
}

function unreadable({ reason, ref, key, namespace }: Record<string, unknown>): Payload {
  const { name, version } = isRecord(key) ? key : {};
  const metadata = Object.entries({
    encoding: UNREADABLE_ENCODING,
    reason,
    ref,
    key: name,
    'key-version': version,
    namespace,
  })
    .filter(([, text]) => text !== undefined)
    .map(([field, text]) => [field, Buffer.from(String(text))] as const);
  return { metadata: Object.fromEntries(metadata) };
}

const encoded = (encoding: string, data?: Uint8Array): Payload => ({
  metadata: { encoding: Buffer.from(encoding) },
  ...(data === undefined ? {} : { data }),
});

const jsonBytes = (value: unknown): Uint8Array => Buffer.from(stringify(value) ?? 'null');

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
