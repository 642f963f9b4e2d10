import { lookupType } from '@temporal-kms/histories/payloads';
import type { Field, MapField, Type } from 'protobufjs';
import { lengthDelimited } from '../../src/temporal/wire-scan.ts';

/*
 * Creates the densest legal content for every field of a message and of its inner messages: as many values as
 * fit into the bytes, or the text that becomes longest in JSON. Uses the descriptors, so that fields in newer
 * protos are covered.
 */

/** The kind of content that makes a field dense. */
type Density = 'messages' | 'entries' | 'packed' | 'texts' | 'text' | 'bytes';

export interface DenseField {
  /** The path of field names, such as `workflowTaskCompletedEventAttributes.sdkMetadata.coreUsedFlags`. */
  readonly path: string;
  readonly density: Density;
  /** The type of the field's values. */
  readonly type: string;
  /** Returns the encoded root message with about `size` bytes in the field. */
  readonly bytes: (size: number) => Uint8Array;
}

interface Place {
  readonly type: Type;
  readonly path: string;
  readonly wrap: (content: Uint8Array) => Uint8Array;
}

/**
 * Returns those fields of a message type that can be dense. Each inner type appears at its shortest path from
 * the root.
 */
export function denseFields(typeName: string): DenseField[] {
  const found: DenseField[] = [];
  const seen = new Set<string>();
  const places: Place[] = [{ type: lookupType(typeName), path: '', wrap: (content) => content }];
  for (const { type, path, wrap } of places) {
    for (const field of type.fieldsArray) {
      const at = path === '' ? field.name : `${path}.${field.name}`;
      const dense = densest(field.resolve());
      if (dense !== undefined) found.push({ path: at, ...dense, bytes: (size) => wrap(dense.content(size)) });
      const below = field.resolvedType;
      if (below === null || !('fieldsArray' in below)) continue;
      // The server parses search attributes, but not other payloads.
      const key = type.name === 'SearchAttributes' ? `${below.fullName} parsed` : below.fullName;
      if (seen.has(key)) continue;
      seen.add(key);
      places.push({
        type: below,
        path: at,
        wrap: (content) => {
          const value = field.map ? lengthDelimited(2, content) : content;
          return wrap(lengthDelimited(field.id, value));
        },
      });
    }
  }
  return found;
}

/** Returns the first field of each class. */
export function sample(fields: readonly DenseField[]): DenseField[] {
  return [
    ...new Map(fields.toReversed().map((field) => [`${field.density} ${classOf(field)}`, field])).values(),
  ];
}

/**
 * Payloads and 64-bit numbers are separate classes, because the server describes payloads and writes 64-bit
 * numbers as text.
 */
const classOf = ({ density, type }: DenseField): string =>
  density === 'entries' || density === 'messages'
    ? String(/\bPayload$/.test(type))
    : /64/.test(type)
      ? '64'
      : '';

type Dense = Pick<DenseField, 'density' | 'type'> & { readonly content: (size: number) => Uint8Array };

function densest(field: Field | MapField): Dense | undefined {
  const { id, type, resolvedType } = field;
  const isMessage = resolvedType !== null && 'fieldsArray' in resolvedType;
  if (field.map) return { density: 'entries', type, content: (size) => entries(id, size, isMessage) };
  if (type === 'string' || type === 'bytes') {
    // A control character takes six characters in JSON.
    const filled = (size: number) => lengthDelimited(id, Buffer.alloc(size, 1));
    if (!field.repeated) return { density: type === 'string' ? 'text' : 'bytes', type, content: filled };
    return { density: 'texts', type, content: (size) => repeated(lengthDelimited(id, nothing), size) };
  }
  if (!field.repeated) return undefined;
  if (isMessage)
    return { density: 'messages', type, content: (size) => repeated(lengthDelimited(id, nothing), size) };
  return { density: 'packed', type, content: (size) => lengthDelimited(id, Buffer.alloc(size, 1)) };
}

const nothing = Buffer.alloc(0);

const repeated = (item: Buffer, size: number): Buffer =>
  Buffer.alloc(Math.ceil(size / item.length) * item.length, item);

/** Returns an empty field. */
const emptyField = (id: number): string => lengthDelimited(id, nothing).toString('latin1');
const tagOf = (id: number): string => emptyField(id).slice(0, -1);

/** Builds the entries as text with a character per byte, because hundreds of thousands of buffers take seconds. */
function entries(id: number, size: number, isMessage: boolean): Buffer {
  const [tag, keyTag, value] = [tagOf(id), tagOf(1), isMessage ? emptyField(2) : ''];
  let all = '';
  for (let n = 0; all.length < size; n += 1) {
    const key = n.toString(36);
    const entry = `${keyTag}${String.fromCharCode(key.length)}${key}${value}`;
    all += tag + String.fromCharCode(entry.length) + entry;
  }
  return Buffer.from(all, 'latin1');
}

/** Returns a list of the same item, of about `size` characters. */
const list = (item: string, size: number): string =>
  `[${`${item},`.repeat(size / (item.length + 1)).slice(0, -1)}]`;

/** Returns members with different names, of about `size` characters. */
const members = (prefix: string, size: number): string =>
  `{${Array.from({ length: Math.floor(size / (prefix.length + 8)) }, (_, n) => `"${prefix}${n.toString(36)}":0`).join(',')}}`;

/** Returns an event in JSON with about `size` bytes in the field, as list items, map entries or text. */
export function denseJson({ path, density, type }: DenseField, size: number): string {
  const content = {
    messages: () => list(type === 'Payload' ? '0' : '{}', size),
    entries: () => members('', size),
    packed: () => list('1', size),
    texts: () => list('""', size),
    text: () => `"${'\\u0001'.repeat(size / 6)}"`,
    bytes: () => `"${'A'.repeat(size)}"`,
  }[density]();
  const [last = '', ...around] = path.split('.').toReversed();
  return `{"eventId":"1",${around.reduce((inner, name) => `"${name}":{${inner}}`, `"${last}":${content}`)}}`;
}

/** Returns JSON bodies of about `size` bytes that take the most memory to parse. */
export function denseBodies(size: number): string[] {
  return [
    `{"events":${list('{}', size)}}`,
    `{"events":${list('""', size)}}`,
    `{"refs":${list('"1:0"', size)}}`,
    members('k', size),
    `{"text":"${'\\u0001'.repeat(size / 6)}"}`,
    '['.repeat(size),
  ];
}
