import { lookupType } from '@temporal-kms/history-payloads';
import type { Enum, Field, MapField, Type } from 'protobufjs';
import { type Payload, payloadFromJson } from './payload.ts';

type ReadPayload = (value: unknown) => Payload;
type ReadValue = (value: unknown, readPayload: ReadPayload) => unknown;
type FieldReader = readonly [name: string, read: ReadValue];

/**
 * Returns a message from its proto3 JSON (https://protobuf.dev/programming-guides/json/), with 64-bit integers as strings.
 * It also accepts what Temporal's tools write instead: enum values in camel case (`TimerFired`), and a list of payloads
 * without the object around it.
 *
 * It reads by reflection: a list of fields would miss those that a newer version of the protos adds.
 *
 * @throws TypeError for a value that does not match its field
 */
export function readMessage(typeName: string, json: unknown, readPayload: ReadPayload): object {
  return readFields(lookupType(typeName), json, readPayload);
}

function readFields(type: Type, json: unknown, readPayload: ReadPayload): object {
  if (!isRecord(json)) throw mismatch(type.name);
  const readers = readersOf(type);
  const message: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) {
    const reader = readers.get(key);
    if (reader === undefined || value === null || value === undefined) continue;
    const [name, read] = reader;
    message[name] = read(value, readPayload);
  }
  return message;
}

const readersByType = new Map<Type, ReadonlyMap<string, FieldReader>>();

/** Returns the readers of a message's fields, by their names in camel case and as in the proto file. */
function readersOf(type: Type): ReadonlyMap<string, FieldReader> {
  const known = readersByType.get(type);
  if (known !== undefined) return known;
  const readers = new Map<string, FieldReader>();
  // Set before the fields are resolved: types are recursive (a Failure contains a Failure).
  readersByType.set(type, readers);
  for (const field of type.fieldsArray) {
    const reader: FieldReader = [field.name, fieldReader(field)];
    readers.set(field.name, reader);
    readers.set(
      field.name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      reader,
    );
  }
  return readers;
}

function fieldReader(field: Field | MapField): ReadValue {
  const read = valueReader(field);
  if (field.map) {
    return (value, readPayload) => {
      if (!isRecord(value)) throw mismatch(field.name);
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, read(item, readPayload)]));
    };
  }
  if (!field.repeated) return read;
  return (value, readPayload) => {
    if (!Array.isArray(value)) throw mismatch(field.name);
    return value.map((item: unknown) => read(item, readPayload));
  };
}

function valueReader(field: Field | MapField): ReadValue {
  field.resolve();
  const resolved = field.resolvedType;
  if (resolved === null) return scalars.get(field.type) ?? ((value) => Number(value));
  if ('valuesById' in resolved) return enumReader(resolved);
  return (
    messages.get(resolved.fullName) ?? ((value, readPayload) => readFields(resolved, value, readPayload))
  );
}

const INTEGER = /^-?\d{1,20}$/;

const scalars = new Map<string, ReadValue>([
  ...['int64', 'uint64', 'sint64', 'fixed64', 'sfixed64'].map((name): [string, ReadValue] => [
    name,
    (value) => {
      // A number of `lossless-json` returns its digits.
      const digits = String(value);
      if (!INTEGER.test(digits)) throw mismatch(name);
      return digits;
    },
  ]),
  [
    'string',
    (value) => {
      if (typeof value !== 'string') throw mismatch('string');
      return value;
    },
  ],
  ['bool', (value) => value === true || value === 'true'],
  ['bytes', (value) => Buffer.from(String(value), 'base64')],
]);

const enumValues = new Map<Enum, ReadonlyMap<string, number>>();

function enumReader(type: Enum): ReadValue {
  const known = enumValues.get(type) ?? namesOf(type);
  enumValues.set(type, known);
  return (value) => (typeof value === 'string' ? (known.get(value) ?? 0) : Number(value));
}

/** Returns the values of an enum by their names: `EVENT_TYPE_TIMER_FIRED` is also `TimerFired`. */
function namesOf(type: Enum): ReadonlyMap<string, number> {
  const prefix = type.name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
  const names = new Map<string, number>();
  for (const [name, value] of Object.entries(type.values)) {
    names.set(name, value);
    const words = name.replace(`${prefix}_`, '').toLowerCase().split('_');
    names.set(words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(''), value);
  }
  return names;
}

const messages = new Map<string, ReadValue>([
  ['.temporal.api.common.v1.Payload', (value, readPayload) => readPayload(value)],
  [
    '.temporal.api.common.v1.Payloads',
    (value, readPayload) => {
      const list: unknown = isRecord(value) ? (value['payloads'] ?? []) : value;
      if (!Array.isArray(list)) throw mismatch('payloads');
      return { payloads: list.map((item: unknown) => readPayload(item)) };
    },
  ],
  [
    '.temporal.api.common.v1.SearchAttributes',
    // Not encrypted, so that every form writes them as payloads.
    (value) => {
      const fields = isRecord(value) ? (value['indexedFields'] ?? value['indexed_fields'] ?? {}) : {};
      return {
        indexedFields: Object.fromEntries(
          Object.entries(isRecord(fields) ? fields : {}).map(([name, item]) => [name, payloadFromJson(item)]),
        ),
      };
    },
  ],
  ['.google.protobuf.Timestamp', (value) => timestamp(value)],
  ['.google.protobuf.Duration', (value) => duration(value)],
  [
    '.google.protobuf.FieldMask',
    (value) => ({ paths: typeof value === 'string' ? value.split(',').filter(Boolean) : [] }),
  ],
]);

const TIMESTAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/i;

function timestamp(value: unknown): { seconds: string; nanos: number } {
  const [, whole = '', decimals = '', zone = ''] = TIMESTAMP.exec(String(value)) ?? [];
  const millis = Date.parse(`${whole}${zone}`);
  if (Number.isNaN(millis)) throw mismatch('Timestamp');
  return { seconds: String(millis / 1_000), nanos: Number(decimals.padEnd(9, '0')) };
}

const DURATION = /^(-?)(\d+)(?:\.(\d{1,9}))?s$/;

function duration(value: unknown): { seconds: string; nanos: number } {
  const match = DURATION.exec(String(value));
  if (match === null) throw mismatch('Duration');
  const [, sign = '', seconds = '', decimals = ''] = match;
  const nanos = Number(decimals.padEnd(9, '0'));
  return { seconds: `${sign}${seconds}`, nanos: sign === '-' ? -nanos || 0 : nanos };
}

const mismatch = (name: string): TypeError => new TypeError(`A value does not match the type of ${name}.`);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
