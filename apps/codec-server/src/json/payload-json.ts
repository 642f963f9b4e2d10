import { type Payload, payloadToJson } from '@temporal-kms/histories/payloads';
import { encodeBase64, PIECE_BYTES } from '@temporal-kms/histories/bytes';
import proto, { type temporal } from '@temporalio/proto';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import { atOnce, SLICE_BYTES, type Steps } from '../turns/slices.ts';
import { type CutJson, cutLongStrings } from './cut-strings.ts';
import { base64Length, type BodyInPieces, decodeBase64, writeBase64 } from './bytes.ts';
import type { MemoryLease } from '../memory.ts';
import { parseJson, type ValueLimit } from './bounded.ts';
import { ENTRY_COST, keyTooLong, MAX_ENTRIES, MAX_KEY, tooManyEntries, tooManyPayloads } from './payload.ts';
import { badRequest, type HttpError } from '../errors.ts';
import { scanPayloads } from './payload-scanner.ts';

type ExternalPayload = temporal.api.common.v1.Payload.IExternalPayloadDetails;

/**
 * Parses the body of `/encode` and `/decode`. Accepts every form that Temporal's clients send: standard and
 * URL-safe base64, with or without padding; `externalPayloads` (proto3 JSON, from the Web UI) and
 * `external_payloads` with numbers (Go's `encoding/json`); nulls; and unknown fields.
 *
 * @param lease charged for the payloads, and for the memory to parse them, before either is allocated
 * @throws HttpError 400 with the position of the mistake; 413 for too many payloads or too many entries in a
 *   payload; what the lease throws
 */
export function* parseInSteps(body: Buffer, maxPayloads: number, lease: Lease): Steps<Payload[]> {
  lease.take(Math.ceil(body.length * BYTES_COST));
  const scanned = yield* scanPayloads(body, maxPayloads, (bytes) => lease.take(bytes));
  if (scanned !== undefined) return scanned;
  const extra = body.length * TEXT_COST;
  lease.take(extra);
  yield body.length;
  const cut = cutLongStrings(body);
  const json = parseAny(cut.text, maxPayloads, (bytes) => lease.take(bytes));
  const strings = new Base64Strings(body, cut);
  const payloads: Payload[] = [];
  for (const [index, payload] of json.entries()) {
    const parsed = payloadFromJson(payload, `payloads[${index}]`, strings.decode);
    payloads.push(parsed);
    yield* strings.decodeLarge(`payloads[${index}]`);
    yield parsed.data?.length ?? 0;
  }
  lease.release(extra);
  return payloads;
}

/** Decodes the base64 strings in a JSON body, including the long strings that were cut out before parsing. */
class Base64Strings {
  readonly #body: Buffer;
  readonly #cut: CutJson;
  #later: Steps<boolean>[] = [];

  constructor(body: Buffer, cut: CutJson) {
    this.#body = body;
    this.#cut = cut;
  }

  readonly decode: DecodeText = (text) => {
    const found = this.#cut.find(text);
    if (found === undefined) return decodeText(text);
    const { start, end, rest } = found;
    if (!PADDING.test(rest)) return decodeText(`${this.#body.toString('latin1', start, end)}${rest}`);
    return decodeBase64(this.#body, start, end, this.#later);
  };

  /** Fills the buffers that `decode` has returned for large strings. @throws HttpError 400 */
  *decodeLarge(at: string): Steps<void> {
    const decodings = this.#later;
    this.#later = [];
    for (const decoding of decodings) if (!(yield* decoding)) throw notBase64(at);
  }
}

/**
 * Matches the rest of a string if it is only padding or empty, because padding is optional. Escapes in base64
 * are usually in the padding.
 */
const PADDING = /^={0,2}$/;

type DecodeText = (text: string) => Buffer | undefined;

const decodeText: DecodeText = (text) => decodeBase64(Buffer.from(text));

/** Parses a body in one turn of the event loop. */
export const parsePayloads = (body: Buffer, maxPayloads: number, lease: Lease = unlimited): Payload[] =>
  atOnce(parseInSteps(body, maxPayloads, lease));

type Lease = Pick<MemoryLease, 'take' | 'release'>;
const unlimited: Lease = { take: () => undefined, release: () => undefined };

/** How many bytes of payloads a byte of a body decodes to, because a body is mostly base64. */
const BYTES_COST = 3 / 4;
/** Memory per byte of a body that is parsed as text: the text, its strings, and a buffer for each string. */
const TEXT_COST = 4;
/** Maximum number of JSON values per payload in a body. Clients write about ten per payload. */
const VALUES: ValueLimit = { base: 256, each: 4 * MAX_ENTRIES };

/** Parses a body that the scanner cannot read. Uses `JSON.parse`, and reports mistakes. */
export const parseAnyPayloads = (text: string, maxPayloads: number): Payload[] =>
  parseAny(text, maxPayloads, () => undefined).map((payload, index) =>
    payloadFromJson(payload, `payloads[${index}]`, decodeText),
  );

function parseAny(text: string, maxPayloads: number, take: (bytes: number) => void): unknown[] {
  const body = parseJson(text, VALUES, (values) => take(values * ENTRY_COST));
  if (!isRecord(body)) throw notProtocol('the body must be an object with a "payloads" list');
  const payloads = body['payloads'] ?? [];
  if (!Array.isArray(payloads)) throw notProtocol('"payloads" must be a list');
  if (payloads.length > maxPayloads) throw tooManyPayloads(maxPayloads);
  return payloads;
}

/** Returns the body that `writePayloads` writes, in one buffer. */
export const buildPayloads = (payloads: readonly Payload[]): Buffer<ArrayBuffer> =>
  writePayloads(payloads).concat();

/**
 * Writes the response of `/encode` and `/decode`. The response must not contain other fields, because Go
 * clients reject unknown fields.
 */
export function writePayloads(payloads: readonly Payload[]): JsonBytes {
  const body = new JsonBytes();
  body.text('{"payloads":[');
  for (const [n, payload] of payloads.entries()) {
    if (n > 0) body.text(',');
    buildPayload(payload, body);
  }
  body.text(']}');
  body.end();
  return body;
}

function payloadFromJson(json: unknown, at: string, decode: DecodeText): Payload {
  if (!isRecord(json)) throw notProtocol(`${at} must be an object`);
  const payload: Payload = {};
  const metadata = json['metadata'];
  if (metadata !== undefined && metadata !== null) {
    if (!isRecord(metadata)) throw notProtocol(`${at}.metadata must be an object`);
    const entries = Object.entries(metadata);
    if (entries.length > MAX_ENTRIES) throw tooManyEntries(`${at}.metadata`);
    if (entries.some(([key]) => key.length > MAX_KEY)) throw keyTooLong(`${at}.metadata`);
    payload.metadata = Object.fromEntries(
      entries.map(([key, value]) => [key, bytesOf(value, `${at}.metadata`, decode)]),
    );
  }
  const data = json['data'];
  if (data !== undefined && data !== null) payload.data = bytesOf(data, `${at}.data`, decode);
  const external = json['externalPayloads'] ?? json['external_payloads'];
  if (external !== undefined && external !== null) payload.externalPayloads = sizes(external, at);
  return payload;
}

/**
 * Writes the same JSON as `JSON.stringify(payloadToJson(payload))`, but without creating a string for large
 * data.
 */
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

/**
 * Values of up to this many bytes are appended to the surrounding text as base64. Most metadata is that
 * small.
 */
const SHORT = 64;

/** Maximum number of characters in a part that combines several strings. */
const TEXT_PART = 16 * 1024;

/** Collects text and bytes, and writes them, with the bytes as base64, into one buffer or in pieces. */
class JsonBytes implements BodyInPieces {
  readonly #parts: (string | Uint8Array)[] = [];
  #text = '';
  #length = 0;

  /** The length in bytes, known after `end`. */
  get length(): number {
    return this.#length;
  }

  text(text: string): void {
    this.#text += text;
    if (this.#text.length > TEXT_PART) this.end();
  }

  base64(bytes: Uint8Array): void {
    if (bytes.length <= SHORT) {
      this.#text += encodeBase64(bytes);
    } else {
      this.end();
      this.#length += base64Length(bytes);
      this.#parts.push(bytes);
    }
  }

  concat(): Buffer<ArrayBuffer> {
    return joined(this.#parts, this.#length);
  }

  *pieces(): Generator<Buffer<ArrayBuffer>, void> {
    let parts: (string | Uint8Array)[] = [];
    let length = 0;
    for (const part of this.#parts) {
      for (let from = 0; from < part.length; from += PIECE_BYTES) {
        // Text parts need not be divided, because they are hardly longer than `TEXT_PART`.
        const next = typeof part === 'string' ? part : part.subarray(from, from + PIECE_BYTES);
        const added = writtenLength(next);
        if (length > 0 && length + added > SLICE_BYTES) {
          yield joined(parts, length);
          [parts, length] = [[], 0];
        }
        parts.push(next);
        length += added;
        if (typeof part === 'string') break;
      }
    }
    yield joined(parts, length);
  }

  end(): void {
    this.#length += Buffer.byteLength(this.#text);
    this.#parts.push(this.#text);
    this.#text = '';
  }
}

const writtenLength = (part: string | Uint8Array): number =>
  typeof part === 'string' ? Buffer.byteLength(part) : base64Length(part);

function joined(parts: readonly (string | Uint8Array)[], length: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts)
    at += typeof part === 'string' ? bytes.write(part, at) : writeBase64(part, bytes, at);
  return bytes;
}

const isInt64 = (text: string): boolean =>
  /^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);

function sizes(json: unknown, at: string): ExternalPayload[] {
  if (!Array.isArray(json)) throw notProtocol(`${at}.externalPayloads must be a list`);
  if (json.length > MAX_ENTRIES) throw tooManyEntries(`${at}.externalPayloads`);
  return json.map((one: unknown) => {
    const size = isRecord(one) ? (one['sizeBytes'] ?? one['size_bytes'] ?? 0) : undefined;
    // Rejects numbers that are too large for JavaScript, because they have already lost digits.
    const text = typeof size === 'number' && Number.isSafeInteger(size) ? String(size) : size;
    if (typeof text !== 'string' || !isInt64(text)) {
      throw notProtocol(`${at}.externalPayloads must have sizeBytes in each entry`);
    }
    return proto.temporal.api.common.v1.Payload.ExternalPayloadDetails.fromObject({ sizeBytes: text });
  });
}

function bytesOf(value: unknown, at: string, decode: DecodeText): Uint8Array {
  if (typeof value !== 'string') throw notProtocol(`${at} must be base64 text`);
  const bytes = decode(value);
  if (bytes === undefined) throw notBase64(at);
  return bytes;
}

const notBase64 = (at: string): HttpError => notProtocol(`${at} is not base64`);

const notProtocol = (what: string): HttpError => badRequest(`Not Temporal's codec protocol: ${what}.`);
