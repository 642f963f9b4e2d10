import proto, { type google, type temporal } from '@temporalio/proto';
import type { Enum, Field, MapField, Root, Type } from 'protobufjs';
import type { Payload } from '../payload.ts';
import { payloadToJson } from '../json/payload-json.ts';

/** A payload and where it stands in its message. */
export interface Found {
  readonly payload: Payload;
  /** From the message walked, in the protos' camelCase: `input.payloads[0]`, `memo.fields.customer`, `fields["a.b"]`. */
  readonly path: string;
  /** False in headers: the TypeScript SDK never gives them to a codec. */
  readonly sealable: boolean;
}

/** Called for every payload, in order; what it returns stands in the payload's place. */
export type Visit = (found: Found) => unknown;

interface Step {
  readonly name: string;
  readonly repeated: boolean;
  readonly map: boolean;
  readonly write: Write;
}
type Write = (value: unknown, path: string, sealable: boolean, out: Out) => unknown;

/** What is written for payloads, and for those of search attributes. */
interface Out {
  readonly visit: Visit;
  readonly attribute: (payload: Payload) => unknown;
}

/**
 * Writes a proto message as proto3 JSON, its payloads replaced by what `visit` returns. Fields come in the order of
 * their numbers and map keys sorted: servers written in Go give a map's entries in another order on every read, and a
 * payload's number must mean the same payload each time, on every replica.
 *
 * Reflection rather than a list of places: a message that a newer server sends is walked as far as its protos go.
 *
 * @param attribute writes a search attribute, which is plain by design; its JSON value unless told otherwise
 */
export function writeMessage(
  typeName: string,
  message: object,
  visit: Visit,
  attribute: (payload: Payload) => unknown = plainValue,
): Record<string, unknown> {
  return writeFields(stepsOf(lookup(typeName)), message, '', true, { visit, attribute });
}

/** The message's payloads in `writeMessage`'s order. */
export function findPayloads(typeName: string, message: object): Found[] {
  const found: Found[] = [];
  writeMessage(typeName, message, (one) => {
    found.push(one);
    return undefined;
  });
  return found;
}

const types = new Map<string, Type>();
function lookup(typeName: string): Type {
  const known = types.get(typeName);
  if (known !== undefined) return known;
  const root: unknown = proto;
  if (!isRoot(root)) throw new TypeError('@temporalio/proto is no protobufjs Root');
  const type = root.lookupType(typeName);
  types.set(typeName, type);
  return type;
}

/** `@temporalio/proto` is one, though its types describe plain namespaces. */
const isRoot = (value: unknown): value is Pick<Root, 'lookupType'> =>
  isObject(value) && 'lookupType' in value && typeof value.lookupType === 'function';

const steps = new Map<Type, readonly Step[]>();
function stepsOf(type: Type): readonly Step[] {
  const known = steps.get(type);
  if (known !== undefined) return known;
  const made: Step[] = [];
  // Set before the fields are looked at: Failure holds a Failure.
  steps.set(type, made);
  for (const field of type.fieldsArray.toSorted((a, b) => a.id - b.id)) {
    made.push({ name: field.name, repeated: field.repeated, map: field.map, write: writerOf(field) });
  }
  return made;
}

function writeFields(
  fields: readonly Step[],
  message: object,
  path: string,
  sealable: boolean,
  out: Out,
): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (const { name, repeated, map, write } of fields) {
    const value: unknown = Object.hasOwn(message, name) ? Reflect.get(message, name) : undefined;
    if (value === undefined || value === null) continue;
    const at = path === '' ? name : `${path}.${name}`;
    if (repeated) {
      if (!Array.isArray(value) || value.length === 0) continue;
      json[name] = value.map((item, index) => write(item, `${at}[${index}]`, sealable, out));
    } else if (map) {
      const keys = Object.keys(value).toSorted();
      if (keys.length === 0) continue;
      json[name] = Object.fromEntries(
        keys.map((key) => [key, write(Reflect.get(value, key), at + mapKey(key), sealable, out)]),
      );
    } else {
      json[name] = write(value, at, sealable, out);
    }
  }
  return json;
}

const mapKey = (key: string): string => (/^[A-Za-z_]\w*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`);

function writerOf(field: Field | MapField): Write {
  field.resolve();
  const resolved = field.resolvedType;
  if (resolved === null) return scalars.get(field.type) ?? asIs;
  if (isEnum(resolved)) return (value) => resolved.valuesById[Number(value)] ?? value;
  const special = messages.get(resolved.fullName);
  if (special !== undefined) return special;
  const fields = stepsOf(resolved);
  const header = resolved.fullName === '.temporal.api.common.v1.Header';
  return (value, path, sealable, out) =>
    isObject(value) ? writeFields(fields, value, path, sealable && !header, out) : null;
}

const isEnum = (resolved: Type | Enum): resolved is Enum => 'valuesById' in resolved;
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const asIs: Write = (value) => value;
const asString: Write = (value) => String(value);
const scalars = new Map<string, Write>([
  ...['int64', 'uint64', 'sint64', 'fixed64', 'sfixed64'].map((name) => [name, asString] as const),
  ['bytes', (value) => (value instanceof Uint8Array ? Buffer.from(value).toString('base64') : '')],
  // JSON has no such numbers; proto3 JSON writes them as strings.
  ...['float', 'double'].map(
    (name) => [name, (value: unknown) => (Number.isFinite(value) ? value : String(value))] as const,
  ),
]);

const messages = new Map<string, Write>([
  [
    '.temporal.api.common.v1.Payload',
    (value, path, sealable, { visit }) =>
      isObject(value) ? visit({ payload: value, path, sealable }) : null,
  ],
  [
    '.temporal.api.common.v1.SearchAttributes',
    (value, _path, _sealable, { attribute }) =>
      isObject(value) ? { indexedFields: attributeValues(value, attribute) } : null,
  ],
  ['.google.protobuf.Timestamp', (value) => (isObject(value) ? timestamp(value) : null)],
  ['.google.protobuf.Duration', (value) => (isObject(value) ? duration(value) : null)],
]);

/**
 * Search attributes are plain JSON by design, since Temporal indexes them; they are written as their values. One that
 * isn't JSON keeps its payload's form.
 */
export function searchAttributeValues(
  message: temporal.api.common.v1.ISearchAttributes | null | undefined,
): Record<string, unknown> {
  return attributeValues(message ?? {}, plainValue);
}

function attributeValues(
  message: temporal.api.common.v1.ISearchAttributes,
  attribute: Out['attribute'],
): Record<string, unknown> {
  const fields = Object.entries(message.indexedFields ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields.map(([name, payload]) => [name, attribute(payload)]));
}

function plainValue(payload: Payload): unknown {
  try {
    return JSON.parse(Buffer.from(payload.data ?? []).toString());
  } catch {
    return payloadToJson(payload);
  }
}

/** RFC 3339 in UTC with 0, 3, 6 or 9 decimals, as proto3 JSON has it. */
export function timestamp(value: google.protobuf.ITimestamp): string {
  const whole = new Date(Number(value.seconds ?? 0) * 1000);
  if (Number.isNaN(whole.getTime())) return '';
  return `${whole.toISOString().slice(0, 19)}${decimals(value.nanos ?? 0)}Z`;
}

/** Seconds with an `s` behind, as proto3 JSON has it: `1.500s`. */
function duration(value: google.protobuf.IDuration): string {
  const seconds = String(value.seconds ?? 0);
  const nanos = value.nanos ?? 0;
  const sign = nanos < 0 && !seconds.startsWith('-') ? '-' : '';
  return `${sign}${seconds}${decimals(Math.abs(nanos))}s`;
}

function decimals(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  return `.${digits.replace(/(?:000){1,2}$/, '')}`;
}
