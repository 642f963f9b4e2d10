import { isObject } from '@temporal-kms/node-utils/is-object';
import proto, { type google, type temporal } from '@temporalio/proto';
import type { Enum, Field, MapField, Root, Type } from 'protobufjs';
import { JsonScanner } from '../json/json-scanner.ts';
import { type Payload, payloadToJson } from './payload.ts';

/** A payload and its place in a message. */
export interface PayloadLocation {
  readonly payload: Payload;
  /**
   * Path within the message, with field names in camelCase, such as `input.payloads[0]`,
   * `memo.fields.customer` and `fields["a.b"]`. Map keys are cut to `MAX_PATH_KEY` characters.
   */
  readonly path: string;
  /**
   * Whether SDKs pass the payload to a codec. False for payloads in headers, which the TypeScript SDK never
   * passes to a codec.
   */
  readonly encryptable: boolean;
  /**
   * Present if the payload is an envelope for Temporal's own Nexus endpoint. The payloads inside the envelope
   * are not visited.
   */
  readonly isEnvelope?: true;
}

/** Called for every payload, in order. The result replaces the payload. */
export type VisitPayload = (location: PayloadLocation) => unknown;

interface FieldWriter {
  readonly name: string;
  readonly repeated: boolean;
  readonly map: boolean;
  readonly write: WriteValue;
}
type WriteValue = (value: unknown, path: string, encryptable: boolean, writers: PayloadWriters) => unknown;

interface PayloadWriters {
  readonly visit: VisitPayload;
  readonly searchAttribute: (payload: Payload) => unknown;
}

/**
 * Returns a proto message as proto3 JSON, with each payload replaced by the result of `visit`. Writes fields
 * by ascending field number and maps by ascending key, because a ref must name the same payload on every read
 * and every replica. Temporal, which is written in Go, returns a map's entries in a different order each
 * time.
 *
 * Walks messages by reflection, because a list of fields would miss the fields that newer protos add.
 *
 * @param searchAttribute writes a search attribute's payload, which is plaintext by design. By default,
 *   writes the payload's JSON value
 */
export function writeMessage(
  typeName: string,
  message: object,
  visit: VisitPayload,
  searchAttribute: (payload: Payload) => unknown = plainValue,
): Record<string, unknown> {
  return writeFields(fieldWriters(typeOf(typeName)), message, '', true, { visit, searchAttribute });
}

/** Returns the message's payloads in the order in which `writeMessage` visits them. */
export function findPayloads(typeName: string, message: object): PayloadLocation[] {
  const locations: PayloadLocation[] = [];
  writeMessage(typeName, message, (location) => {
    locations.push(location);
    return undefined;
  });
  return locations;
}

/** Returns an enum value's name as Temporal's tools write it: `EVENT_TYPE_TIMER_FIRED` is `TimerFired`. */
export const enumName = (name: string, prefix: string): string =>
  name
    .replace(prefix, '')
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');

/** Returns a message type of Temporal's API by its full name. */
export function lookupType(name: string): Type {
  const root: unknown = proto;
  if (!isRoot(root)) throw new TypeError('@temporalio/proto does not export a protobufjs Root');
  return root.lookupType(name);
}

/** `@temporalio/proto` exports a protobufjs Root, although its TypeScript types describe plain namespaces. */
const isRoot = (value: unknown): value is Pick<Root, 'lookupType'> =>
  typeof value === 'object' && value !== null && 'lookupType' in value;

const types = new Map<string, Type>();
function typeOf(typeName: string): Type {
  const known = types.get(typeName);
  if (known !== undefined) return known;
  const type = lookupType(typeName);
  types.set(typeName, type);
  return type;
}

const writersByType = new Map<Type, readonly FieldWriter[]>();
function fieldWriters(type: Type): readonly FieldWriter[] {
  const known = writersByType.get(type);
  if (known !== undefined) return known;
  const writers: FieldWriter[] = [];
  // Caches the list before the fields are resolved, because types are recursive (a Failure contains a
  // Failure).
  writersByType.set(type, writers);
  for (const field of type.fieldsArray.toSorted((a, b) => a.id - b.id)) {
    writers.push({ name: field.name, repeated: field.repeated, map: field.map, write: valueWriter(field) });
  }
  return writers;
}

function writeFields(
  fields: readonly FieldWriter[],
  message: object,
  path: string,
  encryptable: boolean,
  writers: PayloadWriters,
): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (const { name, repeated, map, write } of fields) {
    const value: unknown = Object.hasOwn(message, name) ? Reflect.get(message, name) : undefined;
    if (value === undefined || value === null) continue;
    const at = path === '' ? name : `${path}.${name}`;
    if (repeated) {
      if (!Array.isArray(value) || value.length === 0) continue;
      json[name] = value.map((item, index) => write(item, `${at}[${index}]`, encryptable, writers));
    } else if (map) {
      const keys = Object.keys(value).toSorted();
      if (keys.length === 0) continue;
      json[name] = Object.fromEntries(
        keys.map((key) => [key, write(Reflect.get(value, key), at + mapKey(key), encryptable, writers)]),
      );
    } else {
      json[name] = write(value, at, encryptable, writers);
    }
  }
  return json;
}

/**
 * Maximum number of characters of a map's key in a path. A key may be as long as an event, and may occur in
 * the paths of tens of thousands of payloads.
 */
export const MAX_PATH_KEY = 128;

function mapKey(key: string): string {
  if (key.length > MAX_PATH_KEY) return `[${JSON.stringify(`${key.slice(0, MAX_PATH_KEY)}…`)}]`;
  return /^[A-Za-z_]\w*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function valueWriter(field: Field | MapField): WriteValue {
  field.resolve();
  const resolved = field.resolvedType;
  if (resolved === null) return scalars.get(field.type) ?? asIs;
  if (isEnum(resolved)) return (value) => resolved.valuesById[Number(value)] ?? value;
  const special = messages.get(resolved.fullName);
  if (special !== undefined) return special;
  const fields = fieldWriters(resolved);
  const header = resolved.fullName === '.temporal.api.common.v1.Header';
  return (value, path, encryptable, writers) =>
    isObject(value) ? writeFields(fields, value, path, encryptable && !header, writers) : null;
}

const isEnum = (resolved: Type | Enum): resolved is Enum => 'valuesById' in resolved;

const asIs: WriteValue = (value) => value;
const asString: WriteValue = (value) => String(value);
const scalars = new Map<string, WriteValue>([
  ...['int64', 'uint64', 'sint64', 'fixed64', 'sfixed64'].map((name) => [name, asString] as const),
  ['bytes', (value) => (value instanceof Uint8Array ? Buffer.from(value).toString('base64') : '')],
  // JSON has no NaN or infinity; proto3 JSON writes these as strings.
  ...['float', 'double'].map(
    (name) => [name, (value: unknown) => (Number.isFinite(value) ? value : String(value))] as const,
  ),
]);

const messages = new Map<string, WriteValue>([
  [
    '.temporal.api.common.v1.Payload',
    (value, path, encryptable, { visit }) =>
      isObject(value) ? visit({ payload: value, path, encryptable }) : null,
  ],
  [
    '.temporal.api.common.v1.SearchAttributes',
    (value, _path, _encryptable, { searchAttribute }) =>
      isObject(value) ? { indexedFields: attributeValues(value, searchAttribute) } : null,
  ],
  ['.google.protobuf.Timestamp', (value) => (isObject(value) ? timestamp(value) : null)],
  ['.google.protobuf.Duration', (value) => (isObject(value) ? duration(value) : null)],
]);

/**
 * Returns the JSON values of search attributes by name. Search attributes are plaintext by design, because
 * Temporal indexes them. An attribute that is not JSON is returned as a payload.
 */
export function searchAttributeValues(
  message: temporal.api.common.v1.ISearchAttributes | null | undefined,
): Record<string, unknown> {
  return attributeValues(message ?? {}, plainValue);
}

function attributeValues(
  message: temporal.api.common.v1.ISearchAttributes,
  write: PayloadWriters['searchAttribute'],
): Record<string, unknown> {
  const fields = Object.entries(message.indexedFields ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields.map(([name, payload]) => [name, write(payload)]));
}

/**
 * Maximum size in bytes and maximum nesting of a search attribute's value. Temporal accepts at most 2 KB, and
 * only flat lists.
 */
const MAX_ATTRIBUTE = 40 * 1024;
const MAX_ATTRIBUTE_DEPTH = 8;

function plainValue(payload: Payload): unknown {
  const { length } = payload.data ?? [];
  const text = length > MAX_ATTRIBUTE ? '' : Buffer.from(payload.data ?? []).toString();
  // Checks for an empty value first, because an exception is slow and an event may have tens of thousands of
  // empty values.
  const isJson = text !== '' && new JsonScanner(text, MAX_ATTRIBUTE_DEPTH).scan(() => undefined);
  return isJson ? JSON.parse(text) : payloadToJson(payload);
}

/**
 * Returns a time as RFC 3339 text in UTC with 0, 3, 6 or 9 decimals, as proto3 JSON requires. Returns an
 * empty string if the time is outside the range of RFC 3339.
 */
export function timestamp(value: google.protobuf.ITimestamp): string {
  const whole = new Date(Number(value.seconds ?? 0) * 1000);
  if (Number.isNaN(whole.getTime())) return '';
  return `${whole.toISOString().slice(0, 19)}${decimals(value.nanos ?? 0)}Z`;
}

/** Returns a duration as seconds followed by `s`, as proto3 JSON requires: `1.500s`. */
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

/** The workflow that a payload is encrypted for. The codec can bind messages to this workflow. */
export interface PayloadContext {
  readonly type: 'workflow';
  readonly namespace: string;
  readonly workflowId: string;
}

export const workflowContext = ({ namespace, workflowId }: Omit<PayloadContext, 'type'>): PayloadContext => ({
  type: 'workflow',
  namespace,
  workflowId,
});
