import { lookupType } from '@temporal-kms/histories/payloads';
import type { Field, MapField, Type } from 'protobufjs';

/*
 * Calculates the memory that messages of Temporal's API take once they are decoded and written as JSON. Uses
 * the messages' descriptors, so that fields in newer protos are covered.
 */

export interface MessagePlan {
  readonly isPayload: boolean;
  /** Bytes of memory for the message itself. */
  readonly bytes: number;
  readonly fields: ReadonlyMap<number, FieldPlan>;
}

export interface FieldPlan {
  /** The plan of the field's message. For a map, the plan of an entry, whose second field is the value. */
  readonly below: MessagePlan | undefined;
  readonly isEntry: boolean;
  /** Whether the value is in a list or a map. */
  readonly isListed: boolean;
  readonly wireType: number;
  /** Minimum size of a value in a packed list; 0 if the field is not a packed list. */
  readonly packed: number;
  /** Memory in bytes for a value, in addition to the memory for its message. */
  readonly bytes: number;
  /**
   * How the server processes the field's content: decodes it and writes it as JSON, parses it as JSON, or
   * leaves it unchanged.
   */
  readonly content: Content;
  /** Number of characters that the field adds to the path of each payload below it. */
  readonly path: number;
}

type Content = 'written' | 'parsed' | 'kept';

export const VARINT = 0;
export const FIXED64 = 1;
export const DELIMITED = 2;
export const START_GROUP = 3;
export const END_GROUP = 4;
export const FIXED32 = 5;

/**
 * Memory in bytes for a decoded message and its JSON, and for a payload with the objects that a stream
 * derives from it.
 */
const MESSAGE_BYTES = 200;
const LIST_BYTES = 32;
const PAYLOAD_BYTES = 1_024;
/**
 * Memory in bytes for a property in a message and in its JSON, including the property's name in the JSON's
 * text and in a path.
 */
const PROPERTY_BYTES = 32;
const NAME_COST = 3;

interface Scalar {
  readonly wireType: number;
  /** Memory in bytes for a value, its JSON, and the JSON's text. */
  readonly bytes: number;
}

const varint: Scalar = { wireType: VARINT, bytes: 48 };
const fixed32: Scalar = { wireType: FIXED32, bytes: 48 };
/** The decoder creates an object for a 64-bit integer, and JSON contains the integer as a string. */
const integer64: Scalar = { wireType: VARINT, bytes: 144 };
const scalars: Readonly<Record<string, Scalar>> = {
  int32: varint,
  uint32: varint,
  sint32: varint,
  bool: varint,
  fixed32,
  sfixed32: fixed32,
  float: { ...fixed32, bytes: 80 },
  int64: integer64,
  uint64: integer64,
  sint64: integer64,
  fixed64: { ...integer64, wireType: FIXED64 },
  sfixed64: { ...integer64, wireType: FIXED64 },
  double: { wireType: FIXED64, bytes: 80 },
  string: { wireType: DELIMITED, bytes: 64 },
  bytes: { wireType: DELIMITED, bytes: 192 },
};

/** Minimum size of a value in bytes, by wire type. */
const widths: Readonly<Record<number, number>> = { [VARINT]: 1, [FIXED64]: 8, [FIXED32]: 4 };

const PAYLOAD = '.temporal.api.common.v1.Payload';
const SEARCH_ATTRIBUTES = '.temporal.api.common.v1.SearchAttributes';

/** Returns the plan for a message type, given its full name. */
export const planOf = (name: string): MessagePlan => messagePlan(lookupType(name), 'kept');

const plans = new Map<string, MessagePlan>();

/** @param data what happens to the data of the message's payloads */
function messagePlan(type: Type, data: Content): MessagePlan {
  const key = `${type.fullName} ${data}`;
  const known = plans.get(key);
  if (known !== undefined) return known;
  const fields = new Map<number, FieldPlan>();
  const isPayload = type.fullName === PAYLOAD;
  const lists = type.fieldsArray.filter(({ repeated, map }) => repeated || map).length;
  const plan = {
    isPayload,
    bytes: MESSAGE_BYTES + lists * LIST_BYTES + (isPayload ? PAYLOAD_BYTES : 0),
    fields,
  };
  // The plan is in the map before its fields are resolved, because types are recursive (a Failure contains a
  // Failure).
  plans.set(key, plan);
  const below = type.fullName === SEARCH_ATTRIBUTES ? 'parsed' : data;
  for (const field of type.fieldsArray) {
    const content = isPayload && field.name === 'data' ? data : 'written';
    fields.set(field.id, fieldPlan(field.resolve(), content, below));
  }
  return plan;
}

function fieldPlan(field: Field | MapField, content: Content, data: Content): FieldPlan {
  const { name, repeated, map } = field;
  const value = valuePlan(field, content, data);
  const path = name.length + INDEX;
  if (map) {
    const key = { ...single, ...scalars[keyType(field)] };
    const fields = new Map([
      [1, key],
      [2, value],
    ]);
    const entry = { isPayload: false, bytes: MESSAGE_BYTES, fields };
    return { ...single, below: entry, isEntry: true, isListed: true, bytes: PROPERTY_BYTES, path };
  }
  const bytes = value.bytes + PROPERTY_BYTES + (repeated ? 0 : name.length * NAME_COST);
  return { ...value, isListed: repeated, packed: repeated ? (widths[value.wireType] ?? 0) : 0, bytes, path };
}

const keyType = (field: Field | MapField): string => ('keyType' in field ? field.keyType : 'string');

/** Number of characters that an index or punctuation takes in a path. */
const INDEX = 8;

/** The plan for a value that is neither in a list nor in a map. */
const single: FieldPlan = {
  below: undefined,
  isEntry: false,
  isListed: false,
  wireType: DELIMITED,
  packed: 0,
  bytes: 0,
  content: 'written',
  path: 0,
};

function valuePlan({ type, resolvedType }: Field | MapField, content: Content, data: Content): FieldPlan {
  if (resolvedType === null) return { ...single, content, ...(scalars[type] ?? varint) };
  if ('fieldsArray' in resolvedType) return { ...single, below: messagePlan(resolvedType, data) };
  // The JSON contains the names of enum values.
  const longest = Math.max(...Object.keys(resolvedType.values).map(({ length }) => length));
  return { ...single, ...varint, bytes: varint.bytes + longest };
}
