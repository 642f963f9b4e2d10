import { lookupType } from '@temporal-kms/history-payloads';
import type { Field, MapField, Type } from 'protobufjs';
import { MAX_ENTRIES } from '../json/payload.ts';
import { HttpError } from '../errors.ts';

/**
 * Messages in one of Temporal's responses, including payloads and map entries. Each takes about 200 bytes of memory once
 * decoded, but as few as two on the wire.
 */
const MAX_MESSAGES = 50_000;

/** Which fields of a message the scan looks into. */
interface ScanPlan {
  readonly isPayload: boolean;
  /** Fields that contain messages, by field number. */
  readonly fields: ReadonlyMap<number, ScanPlan>;
}

const PAYLOAD = '.temporal.api.common.v1.Payload';
const leaf: ScanPlan = { isPayload: false, fields: new Map() };

const RESPONSES = [
  'GetWorkflowExecutionHistoryResponse',
  'DescribeWorkflowExecutionResponse',
  'ListWorkflowExecutionsResponse',
];

let isInstalled = false;

/**
 * Limits the memory that decoding one of Temporal's responses takes. Anyone who may start a workflow decides what a history
 * contains, and Temporal's client decodes a response completely before it returns it. This therefore wraps the decoders of
 * the response types, once per process. A payload with too many metadata entries keeps one more than it may have, by which
 * `hasTooManyEntries` recognizes it.
 */
export function boundResponses(): void {
  if (isInstalled) return;
  isInstalled = true;
  for (const name of RESPONSES) {
    const type = lookupType(`temporal.api.workflowservice.v1.${name}`);
    const plan = planOf(type);
    const decode = type.setup().decode.bind(type);
    type.decode = (source, length) =>
      source instanceof Uint8Array ? decode(bounded(source, plan)) : decode(source, length);
  }
}

const plans = new Map<Type, ScanPlan>();

function planOf(type: Type): ScanPlan {
  const known = plans.get(type);
  if (known !== undefined) return known;
  const fields = new Map<number, ScanPlan>();
  const plan = { isPayload: type.fullName === PAYLOAD, fields };
  // Set before the fields are resolved: types are recursive (a Failure contains a Failure).
  plans.set(type, plan);
  for (const field of type.fieldsArray) {
    const below = fieldPlan(field.resolve());
    if (below !== undefined) fields.set(field.id, below);
  }
  return plan;
}

/** A map entry is encoded as a message whose second field is the value. */
function fieldPlan(field: Field | MapField): ScanPlan | undefined {
  const value =
    field.resolvedType !== null && 'fieldsArray' in field.resolvedType
      ? planOf(field.resolvedType)
      : undefined;
  if (!field.map) return value;
  return value === undefined ? leaf : { isPayload: false, fields: new Map([[2, value]]) };
}

/** @throws HttpError `too_large`. Leaves bytes that are not valid protobuf to the decoder. */
function bounded(bytes: Uint8Array, plan: ScanPlan): Uint8Array {
  const scan = new Scan(bytes);
  scan.count(plan, 0, bytes.length);
  return scan.hasTooMany ? Buffer.concat(scan.cut(plan, 0, bytes.length)) : bytes;
}

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** Where a field of a message starts, and where its content is. */
interface FieldPosition {
  start: number;
  number: number;
  wireType: number;
  content: number;
  end: number;
}

/**
 * Limits an encoded `History` message like a response: returns it without the surplus entries of its payloads.
 * @throws HttpError `too_large` if it contains more messages than a response may
 */
export const boundHistory = (encoded: Uint8Array): Uint8Array =>
  bounded(encoded, planOf(lookupType(HISTORY)));
const HISTORY = 'temporal.api.history.v1.History';

/** Memory of a decoded message, and of a payload with the objects that a stream derives from it. */
const MESSAGE_BYTES = 200;
const PAYLOAD_BYTES = 1_024;

/**
 * Estimates the bytes of memory that an encoded `History` message takes once it is decoded.
 * @throws HttpError `too_large` if it contains more messages than a response may
 */
export function decodedHistoryBytes(encoded: Uint8Array): number {
  const scan = new Scan(encoded);
  scan.count(planOf(lookupType(HISTORY)), 0, encoded.length);
  return encoded.length + scan.messages * MESSAGE_BYTES + scan.payloads * PAYLOAD_BYTES;
}

class Scan {
  readonly #bytes: Uint8Array;
  messages = 0;
  payloads = 0;
  hasTooMany = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  count({ isPayload, fields }: ScanPlan, from: number, end: number): void {
    const position = newPosition();
    let entries = 0;
    for (let at = from; at < end && this.#next(position, at, end); at = position.end) {
      const below = position.wireType === DELIMITED ? fields.get(position.number) : undefined;
      if (below === undefined) continue;
      entries += 1;
      if (isPayload && entries > MAX_ENTRIES) {
        this.hasTooMany = true;
        continue;
      }
      this.messages += 1;
      if (below.isPayload) this.payloads += 1;
      if (this.messages > MAX_MESSAGES) throw tooManyMessages();
      if (below !== leaf) this.count(below, position.content, position.end);
    }
  }

  /** Returns the message, as a list of chunks, without the surplus entries of its payloads. */
  cut({ isPayload, fields }: ScanPlan, from: number, end: number): Uint8Array[] {
    const chunks: Uint8Array[] = [];
    const position = newPosition();
    let entries = 0;
    let at = from;
    for (; at < end && this.#next(position, at, end); at = position.end) {
      const { start, content, end: until, wireType, number } = position;
      const below = wireType === DELIMITED ? fields.get(number) : undefined;
      if (below !== undefined) entries += 1;
      // Keeps one more than allowed, by which the payload is recognized later.
      if (isPayload && below !== undefined && entries > MAX_ENTRIES + 1) continue;
      if (below === undefined || below === leaf) {
        chunks.push(this.#bytes.subarray(start, until));
      } else {
        const inner = Buffer.concat(this.cut(below, content, until));
        chunks.push(varint(number * 8 + DELIMITED), varint(inner.length), inner);
      }
    }
    if (at < end) chunks.push(this.#bytes.subarray(at, end));
    return chunks;
  }

  /** Returns false at the end, and before anything that is not a valid field. */
  #next(position: FieldPosition, at: number, end: number): boolean {
    position.start = at;
    const tag = this.#varint(at, end);
    if (tag === undefined) return false;
    position.wireType = tag % 8;
    position.number = Math.floor(tag / 8);
    position.content = this.#after;
    switch (position.wireType) {
      case VARINT:
        if (this.#varint(position.content, end) === undefined) return false;
        position.end = this.#after;
        break;
      case FIXED64:
        position.end = position.content + 8;
        break;
      case FIXED32:
        position.end = position.content + 4;
        break;
      case DELIMITED: {
        const length = this.#varint(position.content, end);
        if (length === undefined) return false;
        position.content = this.#after;
        position.end = position.content + length;
        break;
      }
      default:
        return false;
    }
    return position.end <= end;
  }

  #after = 0;

  #varint(from: number, end: number): number | undefined {
    let value = 0;
    let factor = 1;
    for (let at = from; at < end && at < from + 10; at += 1) {
      const byte = this.#bytes[at] ?? 0;
      value += (byte % 128) * factor;
      factor *= 128;
      if (byte < 128) {
        this.#after = at + 1;
        return value;
      }
    }
    return undefined;
  }
}

const newPosition = (): FieldPosition => ({ start: 0, number: 0, wireType: 0, content: 0, end: 0 });

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  bytes.push(left);
  return Uint8Array.from(bytes);
}

const tooManyMessages = (): HttpError =>
  new HttpError(
    500,
    'too_large',
    `Temporal's response contains more than ${MAX_MESSAGES} payloads, map entries and other messages, the limit for one response.`,
    { loggable: true },
  );
