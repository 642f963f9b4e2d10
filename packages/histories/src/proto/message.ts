import { lookupType } from '../payloads/index.ts';
import type { Enum, Field, MapField, Type } from 'protobufjs';
import { JsonCursor } from '../json/json-cursor.ts';
import { payloadFromText, type ReadPayload, stringOf } from './payload.ts';

/**
 * Called before a value is allocated; may throw. `kind` is `payload` for a payload, and `value` for another
 * message, a map entry or a list item.
 */
export type Admit = (kind: 'payload' | 'value') => void;

interface Context {
  readonly cursor: JsonCursor;
  readonly readPayload: ReadPayload;
  readonly admit: Admit;
}
/** Reads the value at the cursor, and moves the cursor past it. */
type ReadValue = (context: Context) => unknown;
/** `others` are the other fields of the same oneof. */
type FieldReader = readonly [name: string, read: ReadValue, others: readonly string[]];

/**
 * Returns a message from its proto3 JSON (https://protobuf.dev/programming-guides/json/), with 64-bit
 * integers as strings. Also accepts two deviations of Temporal's tools: enum values in camel case
 * (`TimerFired`), and a list of payloads without the surrounding object.
 *
 * Uses reflection, because a list of fields would miss the fields that newer protos add. Does not parse the
 * contents of payloads and of unknown fields.
 *
 * @param text valid JSON
 * @throws TypeError if a value does not match its field, a field occurs twice, or two fields of a oneof are
 *   set; whatever `admit` throws
 */
export function readMessage(typeName: string, text: string, readPayload: ReadPayload, admit: Admit): object {
  return readFields(lookupType(typeName), { cursor: new JsonCursor(text), readPayload, admit });
}

function readFields(type: Type, context: Context): object {
  const { cursor, admit } = context;
  if (cursor.peek() !== '{') throw mismatch(type.name);
  admit('value');
  const readers = readersOf(type);
  const message: Record<string, unknown> = {};
  cursor.object((key) => {
    const reader = readers.get(key);
    if (reader === undefined || cursor.peek() === 'n') {
      cursor.value();
      return;
    }
    const [name, read, others] = reader;
    if (Object.hasOwn(message, name) || others.some((other) => Object.hasOwn(message, other)))
      throw mismatch(name);
    message[name] = read(context);
  });
  return message;
}

const readersByType = new Map<Type, ReadonlyMap<string, FieldReader>>();

/**
 * Returns the readers of a message's fields, by the field's name both in camel case and as in the proto file.
 */
function readersOf(type: Type): ReadonlyMap<string, FieldReader> {
  const known = readersByType.get(type);
  if (known !== undefined) return known;
  const readers = new Map<string, FieldReader>();
  // Caches the map before the fields are resolved, because types are recursive (a Failure contains a
  // Failure).
  readersByType.set(type, readers);
  for (const field of type.fieldsArray) {
    const reader: FieldReader = [field.name, fieldReader(field), field.partOf?.oneof ?? []];
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
  if (field.map) return (context) => readMap(field.name, context, read);
  return field.repeated ? (context) => readList(field.name, context, read) : read;
}

function readMap(name: string, context: Context, read: ReadValue): object {
  const { cursor, admit } = context;
  if (cursor.peek() !== '{') throw mismatch(name);
  const entries: [string, unknown][] = [];
  cursor.object((key) => {
    admit('value');
    entries.push([key, read(context)]);
  });
  return Object.fromEntries(entries);
}

function readList(name: string, context: Context, read: ReadValue): unknown[] {
  const { cursor, admit } = context;
  if (cursor.peek() !== '[') throw mismatch(name);
  const items: unknown[] = [];
  cursor.array(() => {
    admit('value');
    items.push(read(context));
  });
  return items;
}

function valueReader(field: Field | MapField): ReadValue {
  field.resolve();
  const resolved = field.resolvedType;
  if (resolved === null) {
    const read = scalars.get(field.type) ?? Number;
    return ({ cursor }) => read(scalarAt(cursor), cursor);
  }
  if ('valuesById' in resolved) {
    const read = enumReader(resolved);
    return ({ cursor }) => read(scalarAt(cursor));
  }
  return messages.get(resolved.fullName) ?? ((context) => readFields(resolved, context));
}

/** Returns the value of a string, or the text of any other value, so that numbers keep their digits. */
function scalarAt(cursor: JsonCursor): string {
  cursor.peek();
  const text = cursor.value();
  return stringOf(text) ?? text;
}

const INTEGER = /^-?\d{1,20}$/;

const scalars = new Map<string, (value: string, cursor: JsonCursor) => unknown>([
  ...['int64', 'uint64', 'sint64', 'fixed64', 'sfixed64'].map(
    (name) =>
      [
        name,
        (digits: string) => {
          if (!INTEGER.test(digits)) throw mismatch(name);
          return digits;
        },
      ] as const,
  ),
  [
    'string',
    (value, { text, at }) => {
      if (text.charAt(at - 1) !== '"') throw mismatch('string');
      return value;
    },
  ],
  ['bool', (value) => value === 'true'],
  ['bytes', (value) => Buffer.from(value, 'base64')],
]);

const enumValues = new Map<Enum, ReadonlyMap<string, number>>();

function enumReader(type: Enum): (value: string) => number {
  const known = enumValues.get(type) ?? namesOf(type);
  enumValues.set(type, known);
  return (value) => known.get(value) ?? (INTEGER.test(value) ? Number(value) : 0);
}

/** Returns an enum's values by name; `EVENT_TYPE_TIMER_FIRED` is also listed as `TimerFired`. */
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

const readPayloadAt: ReadValue = ({ cursor, readPayload, admit }) => {
  admit('payload');
  cursor.peek();
  return readPayload(cursor.value(), () => admit('value'));
};

/** A search attribute is not encrypted, so every form of a history contains the attribute as a payload. */
const readAttribute: ReadValue = (context) => readPayloadAt({ ...context, readPayload: payloadFromText });

const messages = new Map<string, ReadValue>([
  ['.temporal.api.common.v1.Payload', readPayloadAt],
  [
    '.temporal.api.common.v1.Payloads',
    (context) => {
      const { cursor } = context;
      let payloads: unknown[] = [];
      if (cursor.peek() === '[') payloads = readList('payloads', context, readPayloadAt);
      else
        cursor.object((key) => {
          if (key === 'payloads' && cursor.peek() !== 'n')
            payloads = readList('payloads', context, readPayloadAt);
          else cursor.value();
        });
      return { payloads };
    },
  ],
  [
    '.temporal.api.common.v1.SearchAttributes',
    (context) => {
      const { cursor } = context;
      let indexedFields = {};
      cursor.object((key) => {
        if ((key === 'indexedFields' || key === 'indexed_fields') && cursor.peek() === '{')
          indexedFields = readMap(key, context, readAttribute);
        else cursor.value();
      });
      return { indexedFields };
    },
  ],
  ['.google.protobuf.Timestamp', ({ cursor }) => timestamp(scalarAt(cursor))],
  ['.google.protobuf.Duration', ({ cursor }) => duration(scalarAt(cursor))],
  [
    '.google.protobuf.FieldMask',
    ({ cursor, admit }) => {
      const paths = scalarAt(cursor).split(',').filter(Boolean);
      for (const _ of paths) admit('value');
      return { paths };
    },
  ],
]);

const TIMESTAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/i;

function timestamp(value: string): { seconds: string; nanos: number } {
  const [, whole = '', decimals = '', zone = ''] = TIMESTAMP.exec(value) ?? [];
  const millis = Date.parse(`${whole}${zone}`);
  if (Number.isNaN(millis)) throw mismatch('Timestamp');
  return { seconds: String(millis / 1_000), nanos: Number(decimals.padEnd(9, '0')) };
}

const DURATION = /^(-?)(\d+)(?:\.(\d{1,9}))?s$/;

function duration(value: string): { seconds: string; nanos: number } {
  const match = DURATION.exec(value);
  if (match === null) throw mismatch('Duration');
  const [, sign = '', seconds = '', decimals = ''] = match;
  const nanos = Number(decimals.padEnd(9, '0'));
  return { seconds: `${sign}${seconds}`, nanos: sign === '-' ? -nanos || 0 : nanos };
}

const mismatch = (name: string): TypeError => new TypeError(`A value does not match the type of ${name}.`);
