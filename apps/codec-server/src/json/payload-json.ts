import { type Payload, payloadToJson } from '@temporal-kms/history-payloads';
import { encodeBase64 } from '@temporal-kms/history-payloads/bytes';
import proto, { type temporal } from '@temporalio/proto';
import { base64Length, decodeBase64, writeBase64 } from './bytes.ts';
import type { MemoryLease } from '../memory.ts';
import { parseJson, type ValueLimit } from './bounded.ts';
import { ENTRY_COST, keyTooLong, MAX_ENTRIES, MAX_KEY, tooManyEntries, tooManyPayloads } from './payload.ts';
import { badRequest, type HttpError } from '../errors.ts';
import { scanPayloads } from './payload-scanner.ts';

type ExternalPayload = temporal.api.common.v1.Payload.IExternalPayloadDetails;

/**
 * Parses the body of `/encode` and `/decode`. Accepts what Temporal's clients send: standard and URL-safe base64, with or
 * without padding, `externalPayloads` (the Web UI's proto3 JSON) and `external_payloads` (`encoding/json` of Go's struct, with
 * numbers), nulls, and unknown fields.
 *
 * @param lease charged for the payloads, and for the memory to parse them, before either is allocated
 * @throws HttpError 400 with the place of a mistake; 413 for too many payloads, or too many entries in a payload; what the
 *   lease throws
 */
export function parsePayloads(body: Buffer, maxPayloads: number, lease: Lease = unlimited): Payload[] {
  lease.take(Math.ceil(body.length * BYTES_COST));
  const scanned = scanPayloads(body, maxPayloads, (bytes) => lease.take(bytes));
  if (scanned !== undefined) return scanned;
  const extra = body.length * TEXT_COST;
  lease.take(extra);
  const payloads = parseAnyPayloads(utf8.decode(body), maxPayloads, (bytes) => lease.take(bytes));
  lease.release(extra);
  return payloads;
}

type Lease = Pick<MemoryLease, 'take' | 'release'>;
const unlimited: Lease = { take: () => undefined, release: () => undefined };

/** Bytes of payloads for each byte of a body, which is mostly base64. */
const BYTES_COST = 3 / 4;
/** Bytes of memory for each byte of a body that is parsed as text: the text, its strings, and a buffer of each. */
const TEXT_COST = 4;
/** JSON values in a body, for each payload in it. Clients write about ten. */
const VALUES: ValueLimit = { base: 256, each: 4 * MAX_ENTRIES };

const utf8 = new TextDecoder();

/** Parses a body with `JSON.parse`, for bodies that the scanner does not read, and reports mistakes. */
export function parseAnyPayloads(
  text: string,
  maxPayloads: number,
  take: (bytes: number) => void = () => undefined,
): Payload[] {
  const body = parseJson(text, VALUES, (values) => take(values * ENTRY_COST));
  if (!isRecord(body)) throw notProtocol('the body must be an object with a list "payloads"');
  const payloads = body['payloads'] ?? [];
  if (!Array.isArray(payloads)) throw notProtocol('"payloads" must be a list');
  if (payloads.length > maxPayloads) throw tooManyPayloads(maxPayloads);
  return payloads.map((payload, index) => payloadFromJson(payload, `payloads[${index}]`));
}

/** Builds the response of `/encode` and `/decode`. It must not have other fields, which Go's clients reject. */
export function buildPayloads(payloads: readonly Payload[]): Buffer<ArrayBuffer> {
  const body = new JsonBytes();
  body.text('{"payloads":[');
  for (const [n, payload] of payloads.entries()) {
    if (n > 0) body.text(',');
    buildPayload(payload, body);
  }
  body.text(']}');
  return body.concat();
}

function payloadFromJson(json: unknown, at: string): Payload {
  if (!isRecord(json)) throw notProtocol(`${at} must be an object`);
  const payload: Payload = {};
  const metadata = json['metadata'];
  if (metadata !== undefined && metadata !== null) {
    if (!isRecord(metadata)) throw notProtocol(`${at}.metadata must be an object`);
    const entries = Object.entries(metadata);
    if (entries.length > MAX_ENTRIES) throw tooManyEntries(`${at}.metadata`);
    if (entries.some(([key]) => key.length > MAX_KEY)) throw keyTooLong(`${at}.metadata`);
    payload.metadata = Object.fromEntries(
      entries.map(([key, value]) => [key, bytesOf(value, `${at}.metadata`)]),
    );
  }
  const data = json['data'];
  if (data !== undefined && data !== null) payload.data = bytesOf(data, `${at}.data`);
  const external = json['externalPayloads'] ?? json['external_payloads'];
  if (external !== undefined && external !== null) payload.externalPayloads = sizes(external, at);
  return payload;
}

/** Writes what `JSON.stringify(payloadToJson(payload))` returns, without a string for large data. */
function buildPayload(payload: Payload, body: JsonBytes): void {
  let comma = '';
  body.text('{');
  const metadata = payload.metadata ?? {};
  const keys = Object.keys(metadata);
  if (keys.length > 0) {
    let before = '"metadata":{';
    for (const key of keys) {
      body.text(`${before}${key === 'encoding' ? '"encoding"' : JSON.stringify(key)}:"`);
      body.base64(metadata[key] ?? nothing);
      before = '",';
    }
    body.text('"}');
    comma = ',';
  }
  if (payload.data && payload.data.length > 0) {
    body.text(`${comma}"data":"`);
    body.base64(payload.data);
    body.text('"');
    comma = ',';
  }
  if (payload.externalPayloads && payload.externalPayloads.length > 0) {
    body.text(
      `${comma}"externalPayloads":${JSON.stringify(payloadToJson({ externalPayloads: payload.externalPayloads }).externalPayloads)}`,
    );
  }
  body.text('}');
}

const nothing = new Uint8Array();

/** Up to this size in bytes, base64 is appended to the text around it. Most metadata is that small. */
const SHORT = 64;

/** Collects text and base64, and writes them into a single buffer of their size. */
class JsonBytes {
  readonly #parts: (string | Uint8Array)[] = [];
  #text = '';
  #length = 0;

  text(text: string): void {
    this.#text += text;
  }

  base64(bytes: Uint8Array): void {
    if (bytes.length <= SHORT) {
      this.#text += encodeBase64(bytes);
    } else {
      this.#endText();
      this.#length += base64Length(bytes);
      this.#parts.push(bytes);
    }
  }

  concat(): Buffer<ArrayBuffer> {
    this.#endText();
    const body = Buffer.allocUnsafe(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      at += typeof part === 'string' ? body.write(part, at) : writeBase64(part, body, at);
    }
    return body;
  }

  #endText(): void {
    this.#length += Buffer.byteLength(this.#text);
    this.#parts.push(this.#text);
    this.#text = '';
  }
}

const MAX_INT64 = 2n ** 63n - 1n;

function sizes(json: unknown, at: string): ExternalPayload[] {
  if (!Array.isArray(json)) throw notProtocol(`${at}.externalPayloads must be a list`);
  if (json.length > MAX_ENTRIES) throw tooManyEntries(`${at}.externalPayloads`);
  return json.map((one: unknown) => {
    const size = isRecord(one) ? (one['sizeBytes'] ?? one['size_bytes'] ?? 0) : undefined;
    // A larger number has already lost digits.
    const text = typeof size === 'number' && Number.isSafeInteger(size) ? String(size) : size;
    if (typeof text !== 'string' || !/^\d{1,19}$/.test(text) || BigInt(text) > MAX_INT64) {
      throw notProtocol(`${at}.externalPayloads must have sizeBytes in each entry`);
    }
    return proto.temporal.api.common.v1.Payload.ExternalPayloadDetails.fromObject({
      sizeBytes: text,
    });
  });
}

function bytesOf(value: unknown, at: string): Uint8Array {
  if (typeof value !== 'string') throw notProtocol(`${at} must be base64 text`);
  const bytes = decodeBase64(Buffer.from(value));
  if (bytes === undefined) throw notProtocol(`${at} is not base64`);
  return bytes;
}

const notProtocol = (what: string): HttpError => badRequest(`Not Temporal's codec protocol: ${what}.`);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
