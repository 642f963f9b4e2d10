import proto, { type temporal } from '@temporalio/proto';

type Payload = temporal.api.common.v1.IPayload;
type ExternalPayload = temporal.api.common.v1.Payload.IExternalPayloadDetails;

/** `temporal.api.common.v1.Payload` in proto3 JSON: base64 with padding, empty fields left out. */
export interface PayloadJson {
  metadata?: Record<string, string>;
  data?: string;
  externalPayloads?: { sizeBytes: string }[];
}

/** The body isn't `{"payloads": [...]}` as Temporal's codec protocol has it. The message names the place. */
export class PayloadJsonError extends Error {}

/**
 * Reads the body of `/encode` and `/decode`. Accepts what Temporal's clients send: standard and URL-safe base64, with
 * padding or without, `externalPayloads` (the Web UI's proto3 JSON) and `external_payloads` (`encoding/json` of Go's
 * struct, with numbers), nulls, and fields that it doesn't know.
 */
export function parsePayloads(text: string): Payload[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new PayloadJsonError('the body is not JSON');
  }
  if (!isRecord(body)) throw new PayloadJsonError('the body must be an object with a list "payloads"');
  const payloads = body['payloads'] ?? [];
  if (!Array.isArray(payloads)) throw new PayloadJsonError('"payloads" must be a list');
  return payloads.map((payload, index) => payloadFromJson(payload, `payloads[${index}]`));
}

/** Writes the answer of `/encode` and `/decode`. No other field may be added: Go's clients refuse unknown ones. */
export function buildPayloads(payloads: readonly Payload[]): string {
  return `{"payloads":[${payloads.map(buildPayload).join(',')}]}`;
}

function payloadFromJson(json: unknown, at: string): Payload {
  if (!isRecord(json)) throw new PayloadJsonError(`${at} must be an object`);
  const payload: Payload = {};
  const metadata = json['metadata'];
  if (metadata !== undefined && metadata !== null) {
    if (!isRecord(metadata)) throw new PayloadJsonError(`${at}.metadata must be an object`);
    const entries = Object.entries(metadata);
    payload.metadata = Object.fromEntries(
      entries.map(([key, value]) => [key, fromBase64(value, `${at}.metadata`)]),
    );
  }
  const data = json['data'];
  if (data !== undefined && data !== null) payload.data = fromBase64(data, `${at}.data`);
  const external = json['externalPayloads'] ?? json['external_payloads'];
  if (external !== undefined && external !== null) payload.externalPayloads = sizes(external, at);
  return payload;
}

/** The same as `JSON.stringify(payloadToJson(payload))`, without escaping base64 that needs none. */
function buildPayload(payload: Payload): string {
  const parts: string[] = [];
  const metadata = Object.entries(payload.metadata ?? {});
  if (metadata.length > 0) {
    parts.push(
      `"metadata":{${metadata.map(([key, value]) => `${JSON.stringify(key)}:"${base64(value)}"`).join(',')}}`,
    );
  }
  if (payload.data && payload.data.length > 0) parts.push(`"data":"${base64(payload.data)}"`);
  if (payload.externalPayloads && payload.externalPayloads.length > 0) {
    parts.push(`"externalPayloads":${JSON.stringify(sizesToJson(payload))}`);
  }
  return `{${parts.join(',')}}`;
}

export function payloadToJson(payload: Payload): PayloadJson {
  const json: PayloadJson = {};
  const metadata = Object.entries(payload.metadata ?? {});
  if (metadata.length > 0)
    json.metadata = Object.fromEntries(metadata.map(([key, value]) => [key, base64(value)]));
  if (payload.data && payload.data.length > 0) json.data = base64(payload.data);
  if (payload.externalPayloads && payload.externalPayloads.length > 0)
    json.externalPayloads = sizesToJson(payload);
  return json;
}

const sizesToJson = (payload: Payload): { sizeBytes: string }[] =>
  (payload.externalPayloads ?? []).map((one) => ({ sizeBytes: String(one.sizeBytes ?? 0) }));

function sizes(json: unknown, at: string): ExternalPayload[] {
  if (!Array.isArray(json)) throw new PayloadJsonError(`${at}.externalPayloads must be a list`);
  return json.map((one: unknown) => {
    const size = isRecord(one) ? (one['sizeBytes'] ?? one['size_bytes'] ?? 0) : undefined;
    if ((typeof size !== 'string' && typeof size !== 'number') || !/^\d{1,19}$/.test(String(size))) {
      throw new PayloadJsonError(`${at}.externalPayloads must name each one's sizeBytes`);
    }
    return proto.temporal.api.common.v1.Payload.ExternalPayloadDetails.fromObject({
      sizeBytes: String(size),
    });
  });
}

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

/**
 * `Buffer.from` skips what isn't base64 instead of refusing it; then fewer bytes come out than the text's length
 * promises, so the length tells without a second look at every character.
 */
function fromBase64(value: unknown, at: string): Uint8Array {
  if (typeof value !== 'string') throw new PayloadJsonError(`${at} must be base64 text`);
  let length = value.length;
  while (length > 0 && value.charCodeAt(length - 1) === 0x3d && value.length - length < 2) length -= 1;
  const decoded = Buffer.from(value, 'base64');
  if (length % 4 === 1 || decoded.length !== Math.floor((length * 3) / 4)) {
    throw new PayloadJsonError(`${at} is not base64`);
  }
  return decoded;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
