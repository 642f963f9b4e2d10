import { MAX_PATH_KEY } from '@temporal-kms/histories/payloads';
import { MAX_ENTRIES } from '../json/payload.ts';
import {
  DELIMITED,
  END_GROUP,
  type FieldPlan,
  FIXED32,
  FIXED64,
  type MessagePlan,
  START_GROUP,
  VARINT,
} from './decode-plan.ts';

/**
 * Maximum number of values (messages, payloads, map entries and list items) in a response from Temporal, in
 * an event, and in all events of a request with a file. A value takes about 200 bytes of memory once decoded,
 * but may take only one byte on the wire.
 */
export const MAX_VALUES = 50_000;

/** Maximum nesting of messages, and of groups inside a message. protobufjs fails beyond 100 levels. */
const MAX_DEPTH = 90;
const MAX_GROUPS = 8;

const NEWLINE = 0x0a;
const MAX_TAG = 2 ** 32 - 1;

/**
 * Memory in bytes per byte of text, which is decoded once and written twice. Text takes two bytes per
 * character if it is combined with other text.
 */
const TEXT_COST = 2;
const WRITTEN_COST = 4;
/** Memory in bytes per byte of JSON that is parsed. The worst case is `{}`: two bytes become an object. */
const PARSED_COST = 32;

/** The cost of decoding a message. */
export interface Measured {
  /** Number of messages, payloads, map entries and list items. */
  readonly values: number;
  /** An upper bound in bytes for the memory of the message and its JSON. */
  readonly bytes: number;
  /**
   * Size of all text in JSON, in bytes, without the data of payloads. A control character takes six bytes.
   */
  readonly text: number;
  /** Whether a payload has more entries than `MAX_ENTRIES`. */
  readonly hasSurplus: boolean;
  /** Whether the decoder would fail. */
  readonly isMalformed: boolean;
}

export interface Allowance {
  readonly values: number;
  readonly bytes: number;
}

/**
 * Measures an encoded message in one pass over its fields. Stops once there are more than `MAX_VALUES`
 * values.
 */
export function measure(bytes: Uint8Array, plan: MessagePlan, depth = 0): Measured {
  const scan = new Scan(bytes);
  scan.measure(plan, 0, bytes.length, depth, 0);
  return scan;
}

/**
 * Returns the message without surplus metadata entries of payloads, without fields that the decoder ignores
 * or cannot decode, and without strings, list items and map entries beyond the allowance.
 */
export function cut(bytes: Uint8Array, plan: MessagePlan, allowed: Allowance, depth = 0): Uint8Array {
  const scan = new Scan(bytes);
  return Buffer.concat(scan.cut(plan, 0, bytes.length, depth, allowed));
}

/** The positions of a field and of its content in a message. */
export interface WireField {
  readonly number: number;
  readonly wireType: number;
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

/** Yields the fields of a message, up to the first invalid field. */
export function* wireFields(bytes: Uint8Array): Generator<WireField, void> {
  const scan = new Scan(bytes);
  const position = newPosition();
  for (let at = 0; at < bytes.length && scan.next(position, at, bytes.length); at = position.end)
    yield position;
}

/** Returns the value of a varint, exact up to 2^53. */
export const varintAt = (bytes: Uint8Array, at: number): number =>
  new Scan(bytes).varint(at, bytes.length) ?? 0;

class Scan implements Measured {
  readonly #bytes: Uint8Array;
  values = 0;
  bytes = 0;
  text = 0;
  hasSurplus = false;
  isMalformed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** @param path number of characters in the path of payloads in the message */
  measure(plan: MessagePlan, from: number, end: number, depth: number, path: number): void {
    if (depth > MAX_DEPTH) {
      this.isMalformed = true;
      return;
    }
    this.bytes += plan.bytes + (plan.isPayload ? path * 2 : 0);
    const position = newPosition();
    let entries = 0;
    let at = from;
    for (; at < end && this.next(position, at, end); at = position.end) {
      if (this.values > MAX_VALUES) return;
      const { content, end: until } = position;
      const field = plan.fields.get(position.number);
      if (field === undefined) continue;
      if (plan.isPayload && field.isListed) {
        entries += 1;
        if (entries > MAX_ENTRIES) {
          this.hasSurplus = true;
          continue;
        }
      }
      if (!this.#count(field, position) || field.below === undefined) continue;
      const key = field.isEntry ? Math.min(until - content, MAX_PATH_KEY) : 0;
      this.measure(field.below, content, until, field.isEntry ? depth : depth + 1, path + field.path + key);
    }
    if (at < end) this.isMalformed = true;
  }

  /**
   * Counts a field. If it contains a message, does not count the fields of that message. Returns false if the
   * decoder ignores the field because of its wire type.
   */
  #count(field: FieldPlan, { wireType, content, end }: WireField): boolean {
    if (field.packed > 0 && wireType === DELIMITED) {
      const values = Math.ceil((end - content) / field.packed);
      this.values += values;
      this.bytes += values * field.bytes;
      return true;
    }
    if (wireType !== field.wireType) return false;
    if (field.isListed || field.below !== undefined) this.values += 1;
    this.bytes += field.bytes;
    if (wireType === DELIMITED && field.below === undefined)
      this.bytes += this.#textBytes(field, content, end);
    return true;
  }

  #textBytes({ content }: FieldPlan, from: number, end: number): number {
    const length = end - from;
    if (content === 'kept') return length;
    if (content === 'parsed') return length * PARSED_COST;
    let written = length;
    for (let at = from; at < end; at += 1) {
      const byte = this.#bytes[at] ?? 0;
      if (byte < 0x20) written += byte === NEWLINE ? 1 : 5;
      else if (byte === 0x22 || byte === 0x5c) written += 1;
    }
    this.text += written;
    return length * TEXT_COST + written * WRITTEN_COST;
  }

  /** Returns the message as a list of chunks. */
  cut(plan: MessagePlan, from: number, end: number, depth: number, allowed: Allowance): Uint8Array[] {
    if (depth > MAX_DEPTH) return [];
    this.bytes += plan.bytes;
    const chunks: Uint8Array[] = [];
    const position = newPosition();
    let entries = 0;
    for (let at = from; at < end && this.next(position, at, end); at = position.end) {
      const { number, start, content, end: until } = position;
      const field = plan.fields.get(number);
      if (field === undefined) continue;
      if (plan.isPayload && field.isListed) {
        entries += 1;
        // Keeps one more entry than allowed, so that the payload is later recognized as having too many
        // entries.
        if (entries > MAX_ENTRIES + 1) continue;
      }
      const { values, bytes } = this;
      const isValid = this.#count(field, position);
      const isBeyond = this.values > allowed.values || this.bytes > allowed.bytes;
      const isOptional = field.isListed || (field.below === undefined && field.wireType === DELIMITED);
      if (!isValid || (isBeyond && isOptional)) {
        this.values = values;
        this.bytes = bytes;
      } else if (field.below === undefined) {
        chunks.push(this.#bytes.subarray(start, until));
      } else {
        const below = field.isEntry ? depth : depth + 1;
        const inner = Buffer.concat(this.cut(field.below, content, until, below, allowed));
        chunks.push(lengthDelimited(number, inner));
      }
    }
    return chunks;
  }

  /** Moves to the next field. Returns false at the end, or if the next bytes are not a valid field. */
  next(position: Position, at: number, end: number): boolean {
    position.start = at;
    const tag = this.varint(at, end);
    // The decoder would truncate a larger tag and mistake it for another field.
    if (tag === undefined || tag > MAX_TAG) return false;
    position.wireType = tag % 8;
    position.number = Math.floor(tag / 8);
    position.content = this.#after;
    const after = position.number === 0 ? undefined : this.#skip(position, end, 0);
    if (after === undefined) return false;
    position.end = after;
    return after <= end;
  }

  /** Returns the end of the value at the position. */
  #skip(position: Position, end: number, groups: number): number | undefined {
    switch (position.wireType) {
      case VARINT:
        return this.varint(position.content, end) === undefined ? undefined : this.#after;
      case FIXED64:
        return position.content + 8;
      case FIXED32:
        return position.content + 4;
      case DELIMITED: {
        const length = this.varint(position.content, end);
        if (length === undefined) return undefined;
        position.content = this.#after;
        return position.content + length;
      }
      case START_GROUP:
        return groups < MAX_GROUPS ? this.#skipGroup(position, end, groups + 1) : undefined;
      default:
        return undefined;
    }
  }

  #skipGroup({ number, content }: WireField, end: number, groups: number): number | undefined {
    const inner = newPosition();
    for (let at = content; at < end;) {
      const tag = this.varint(at, end);
      if (tag === undefined || tag > MAX_TAG || tag < 8) return undefined;
      inner.wireType = tag % 8;
      inner.number = Math.floor(tag / 8);
      inner.content = this.#after;
      if (inner.wireType === END_GROUP) return inner.number === number ? inner.content : undefined;
      const after = this.#skip(inner, end, groups);
      if (after === undefined) return undefined;
      at = after;
    }
    return undefined;
  }

  #after = 0;

  varint(from: number, end: number): number | undefined {
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

type Position = { -readonly [Key in keyof WireField]: WireField[Key] };

const newPosition = (): Position => ({ start: 0, number: 0, wireType: 0, content: 0, end: 0 });

/** Encodes a field that contains a message. */
export const lengthDelimited = (number: number, message: Uint8Array): Buffer =>
  Buffer.concat([varint(number * 8 + DELIMITED), varint(message.length), message]);

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  bytes.push(left);
  return Uint8Array.from(bytes);
}
