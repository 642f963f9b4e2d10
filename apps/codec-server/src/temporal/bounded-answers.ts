import proto from '@temporalio/proto';
import type { Field, MapField, Root, Type } from 'protobufjs';
import { MAX_ENTRIES } from '../json/payload-limits.ts';
import { HttpError } from '../errors.ts';

/**
 * Messages in one answer of Temporal's, payloads and entries of maps included. Each takes some 200 bytes once it is
 * decoded, though as few as two on the wire.
 */
const MAX_MESSAGES = 50_000;

/** What of a message is looked into. */
interface Plan {
  readonly isPayload: boolean;
  /** Fields that hold messages, by their number. */
  readonly fields: ReadonlyMap<number, Plan>;
}

const PAYLOAD = '.temporal.api.common.v1.Payload';
const leaf: Plan = { isPayload: false, fields: new Map() };

const ANSWERS = [
  'GetWorkflowExecutionHistoryResponse',
  'DescribeWorkflowExecutionResponse',
  'ListWorkflowExecutionsResponse',
];

let done = false;

/**
 * Bounds what decoding an answer of Temporal's takes, whatever somebody who may start a workflow has put into it.
 * Temporal's client decodes an answer whole before anybody can look at it, so this stands before the decoders of the
 * types. A payload keeps one metadata entry more than it may have, which `hasTooManyEntries` tells.
 */
export function boundAnswers(): void {
  if (done) return;
  done = true;
  const root: unknown = proto;
  if (!isRoot(root)) throw new TypeError('@temporalio/proto is no protobufjs Root');
  for (const name of ANSWERS) {
    const type = root.lookupType(`temporal.api.workflowservice.v1.${name}`);
    const plan = planOf(type);
    const decode = type.setup().decode.bind(type);
    type.decode = (source, length) =>
      source instanceof Uint8Array ? decode(bounded(source, plan)) : decode(source, length);
  }
}

const isRoot = (value: unknown): value is Pick<Root, 'lookupType'> =>
  typeof value === 'object' && value !== null && 'lookupType' in value;

const plans = new Map<Type, Plan>();

function planOf(type: Type): Plan {
  const known = plans.get(type);
  if (known !== undefined) return known;
  const fields = new Map<number, Plan>();
  const plan = { isPayload: type.fullName === PAYLOAD, fields };
  // Set before the fields are looked at: Failure holds a Failure.
  plans.set(type, plan);
  for (const field of type.fieldsArray) {
    const below = belowOf(field.resolve());
    if (below !== undefined) fields.set(field.id, below);
  }
  return plan;
}

/** An entry of a map is a message whose second field is the value. */
function belowOf(field: Field | MapField): Plan | undefined {
  const value =
    field.resolvedType !== null && 'fieldsArray' in field.resolvedType
      ? planOf(field.resolvedType)
      : undefined;
  if (!field.map) return value;
  return value === undefined ? leaf : { isPayload: false, fields: new Map([[2, value]]) };
}

/** @throws HttpError `too_large`; where the bytes are no protobuf they are left to the decoder */
function bounded(bytes: Uint8Array, plan: Plan): Uint8Array {
  const walk = new Walk(bytes);
  walk.count(plan, 0, bytes.length);
  return walk.hasTooMany ? Buffer.concat(walk.cut(plan, 0, bytes.length)) : bytes;
}

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** A field of a message: where it starts, and where its content is. */
interface Place {
  start: number;
  number: number;
  wireType: number;
  content: number;
  end: number;
}

class Walk {
  readonly #bytes: Uint8Array;
  #messages = 0;
  hasTooMany = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  count({ isPayload, fields }: Plan, from: number, end: number): void {
    const place = newPlace();
    let entries = 0;
    for (let at = from; at < end && this.#next(place, at, end); at = place.end) {
      const below = place.wireType === DELIMITED ? fields.get(place.number) : undefined;
      if (below === undefined) continue;
      entries += 1;
      if (isPayload && entries > MAX_ENTRIES) {
        this.hasTooMany = true;
        continue;
      }
      this.#messages += 1;
      if (this.#messages > MAX_MESSAGES) throw tooManyMessages();
      if (below !== leaf) this.count(below, place.content, place.end);
    }
  }

  /** The message without the entries that its payloads have too many of, in pieces. */
  cut({ isPayload, fields }: Plan, from: number, end: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    const place = newPlace();
    let entries = 0;
    let at = from;
    for (; at < end && this.#next(place, at, end); at = place.end) {
      const { start, content, end: until, wireType, number } = place;
      const below = wireType === DELIMITED ? fields.get(number) : undefined;
      if (below !== undefined) entries += 1;
      // One more than there may be, by which it is told.
      if (isPayload && below !== undefined && entries > MAX_ENTRIES + 1) continue;
      if (below === undefined || below === leaf) {
        pieces.push(this.#bytes.subarray(start, until));
      } else {
        const inner = Buffer.concat(this.cut(below, content, until));
        pieces.push(varint(number * 8 + DELIMITED), varint(inner.length), inner);
      }
    }
    if (at < end) pieces.push(this.#bytes.subarray(at, end));
    return pieces;
  }

  /** @returns false where no field follows that could be read */
  #next(place: Place, at: number, end: number): boolean {
    place.start = at;
    const tag = this.#varint(at, end);
    if (tag === undefined) return false;
    place.wireType = tag % 8;
    place.number = Math.floor(tag / 8);
    place.content = this.#after;
    switch (place.wireType) {
      case VARINT:
        if (this.#varint(place.content, end) === undefined) return false;
        place.end = this.#after;
        break;
      case FIXED64:
        place.end = place.content + 8;
        break;
      case FIXED32:
        place.end = place.content + 4;
        break;
      case DELIMITED: {
        const length = this.#varint(place.content, end);
        if (length === undefined) return false;
        place.content = this.#after;
        place.end = place.content + length;
        break;
      }
      default:
        return false;
    }
    return place.end <= end;
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

const newPlace = (): Place => ({ start: 0, number: 0, wireType: 0, content: 0, end: 0 });

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
    `Temporal's answer holds more than ${MAX_MESSAGES} payloads, map entries and other messages.`,
    { loggable: true },
  );
