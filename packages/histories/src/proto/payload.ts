import { UNREADABLE_ENCODING } from '@temporal-kms/codec-api';
import type { temporal } from '@temporalio/proto';
import { JsonCursor } from '../json/json-cursor.ts';

export type Payload = temporal.api.common.v1.IPayload;

/** Reads a payload from its JSON text. `admit` is called for each entry of the payload's metadata. */
export type ReadPayload = (text: string, admit: () => void) => Payload;

const nothing = (): void => undefined;

/** Like `payloadFromText`, but reads a payload from a value that is already parsed. */
export const payloadFromJson = (value: unknown): Payload => payloadFromText(JSON.stringify(value), nothing);

/**
 * Reads a payload as Temporal's tools write it:
 *
 * - `{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "…"}`: proto3 JSON, in base64
 * - `{"metadata": {"encoding": "json/plain"}, "data": {…}}`: the readable form of Temporal's Web UI, with
 *   text and values
 * - any other value: the shorthand of Temporal's Go libraries (go.temporal.io/api/common/v1,
 *   payload_json.go), in which `null` is `binary/null`, an object with `_protoMessageType` is
 *   `json/protobuf`, and any other value is `json/plain`
 *
 * Does not parse the value, because a payload of 2 MB may contain a million values.
 */
export const payloadFromText: ReadPayload = (text, admit) => {
  const members = text.startsWith('{') ? membersOf(text, fieldsOfPayload) : undefined;
  const metadata = members?.get('metadata');
  if (members === undefined || members.hasOthers || metadata === undefined || !metadata.startsWith('{'))
    return shorthand(text);
  const entries = entriesOf(metadata, admit);
  if (entries === undefined) return shorthand(text);
  const data = members.get('data') ?? 'null';
  const base64 = stringOf(data);
  const external = externalPayloads(members.get('externalPayloads'), admit);
  if (isEncoded(entries) && (data === 'null' || isBase64(base64))) {
    return {
      metadata: Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64')])),
      ...(data === 'null' ? {} : { data: Buffer.from(base64 ?? '', 'base64') }),
      ...external,
    };
  }
  const isNull = entries.some(([key, value]) => key === 'encoding' && value === 'binary/null');
  return {
    metadata: Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value)])),
    ...(isNull ? {} : { data: compact(data) }),
    ...external,
  };
};

class Members extends Map<string, string> {
  /** Whether the object also has members with other names. */
  hasOthers = false;
}

/** Returns the JSON text of those members of an object that have one of the given names. */
function membersOf(text: string, names: ReadonlySet<string>): Members {
  const members = new Members();
  const cursor = new JsonCursor(text);
  cursor.object((key) => {
    cursor.peek();
    const value = cursor.value();
    if (names.has(key)) members.set(key, value);
    else members.hasOthers = true;
  });
  return members;
}

const fieldsOfPayload = new Set(['metadata', 'data', 'externalPayloads']);

/** Returns the members of an object whose values are all strings; undefined for any other object. */
function entriesOf(text: string, admit: () => void): [string, string][] | undefined {
  const entries: [string, string][] = [];
  let areStrings = true;
  const cursor = new JsonCursor(text);
  cursor.object((key) => {
    admit();
    const value = stringOf(cursor.value());
    if (value === undefined) areStrings = false;
    else entries.push([key, value]);
  });
  return areStrings ? entries : undefined;
}

/** Returns the value of a JSON string; undefined for other JSON. */
export function stringOf(text: string | undefined): string | undefined {
  if (!text?.startsWith('"')) return undefined;
  return text.includes('\\') ? String(JSON.parse(text)) : text.slice(1, -1);
}

/** Converts the sizes of external payloads from proto3 JSON to the form that the message requires. */
function externalPayloads(text: string | undefined, admit: () => void): Pick<Payload, 'externalPayloads'> {
  if (!text?.startsWith('[')) return {};
  const sizes: { sizeBytes: string }[] = [];
  const cursor = new JsonCursor(text);
  cursor.array(() => {
    admit();
    cursor.peek();
    const size = membersOf(cursor.value(), new Set(['sizeBytes'])).get('sizeBytes') ?? '0';
    sizes.push({ sizeBytes: stringOf(size) ?? size });
  });
  if (sizes.length === 0) return {};
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- protobufjs accepts text for a 64-bit integer
  return { externalPayloads: sizes as unknown as NonNullable<Payload['externalPayloads']> };
}

function isBase64(text: string | undefined): boolean {
  if (text === undefined || text.length % 4 !== 0) return false;
  let at = 0;
  for (; at + PIECE < text.length; at += PIECE) {
    const piece = text.slice(at, at + PIECE);
    // Decodes and re-encodes the piece first, because the regular expression takes eight times as long.
    const isSame = Buffer.from(piece, 'base64').toString('base64') === piece;
    if (!isSame && !/^[A-Za-z0-9+/_-]*$/.test(piece)) return false;
  }
  return /^[A-Za-z0-9+/_-]*={0,2}$/.test(text.slice(at));
}

/** Number of base64 characters to check at a time: a multiple of four. */
const PIECE = 16_384;

/**
 * Returns whether the metadata's values are base64 and not text. The text `binary/plain` also consists of
 * base64 characters, but unlike the base64 of an encoding, it does not decode to printable characters.
 */
function isEncoded(metadata: readonly (readonly [string, string])[]): boolean {
  if (!metadata.every(([, value]) => isBase64(value))) return false;
  const encoding = metadata.findLast(([key]) => key === 'encoding')?.[1];
  return encoding === undefined || /^[\x20-\x7e]*$/.test(Buffer.from(encoding, 'base64').toString());
}

const PROTO_TYPE = '_protoMessageType';

function shorthand(text: string): Payload {
  if (text === 'null') return encoded('binary/null');
  const type = text.startsWith('{') && text.includes(PROTO_TYPE) ? protoTypeOf(text) : undefined;
  if (type === undefined) return encoded('json/plain', compact(text));
  return {
    metadata: { encoding: Buffer.from('json/protobuf'), messageType: Buffer.from(type.name) },
    data: compact(type.message),
  };
}

/** Returns the type that a message's JSON names, and the JSON without the type. */
function protoTypeOf(text: string): { readonly name: string; readonly message: string } | undefined {
  let name: string | undefined;
  let message = text;
  const cursor = new JsonCursor(text);
  let at = 1;
  cursor.object((key) => {
    cursor.peek();
    const value = stringOf(cursor.value());
    if (key === PROTO_TYPE && value !== undefined) {
      name = value;
      // Removes the comma before the member, or the comma after it if the member is first.
      const before = text.slice(0, at);
      const after = text.slice(cursor.at);
      message = before.endsWith('{') ? before + after.replace(/^\s*,/, '') : before + after;
    }
    at = cursor.at;
  });
  return name === undefined ? undefined : { name, message };
}

const fieldsOfReadable = new Set(['$value', '$text', '$bytes', '$unreadable', 'encoding']);

/**
 * Reads a payload of the codec server's readable export, which replaces the payload with its JSON, or with an
 * object that has one of the marks `$text`, `$bytes`, `$value` and `$unreadable`. Returns an unreadable
 * payload in the form that a decoded export contains.
 */
export const payloadFromReadable: ReadPayload = (text) => {
  if (!text.startsWith('{')) return shorthand(text);
  const members = membersOf(text, fieldsOfReadable);
  const value = members.get('$value');
  if (value !== undefined) return encoded('json/plain', compact(value));
  const encoding = stringOf(members.get('encoding')) ?? 'binary/plain';
  const plain = stringOf(members.get('$text'));
  if (plain !== undefined) return encoded(encoding, Buffer.from(plain));
  const bytes = stringOf(members.get('$bytes'));
  if (bytes !== undefined) return encoded(encoding, Buffer.from(bytes, 'base64'));
  const mark = members.get('$unreadable');
  return mark?.startsWith('{') ? unreadable(mark) : encoded('json/plain', compact(text));
};

function unreadable(text: string): Payload {
  const mark = membersOf(text, new Set(['reason', 'ref', 'key', 'namespace']));
  const keyText = mark.get('key');
  const key = keyText?.startsWith('{') ? membersOf(keyText, new Set(['name', 'version'])) : undefined;
  const metadata = Object.entries({
    encoding: JSON.stringify(UNREADABLE_ENCODING),
    reason: mark.get('reason'),
    ref: mark.get('ref'),
    key: key?.get('name'),
    'key-version': key?.get('version'),
    namespace: mark.get('namespace'),
  }).flatMap(([field, value]) =>
    value === undefined ? [] : [[field, Buffer.from(stringOf(value) ?? value)] as const],
  );
  return { metadata: Object.fromEntries(metadata) };
}

const encoded = (encoding: string, data?: Uint8Array): Payload => ({
  metadata: { encoding: Buffer.from(encoding) },
  ...(data === undefined ? {} : { data }),
});

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Returns the bytes of the JSON without white space between tokens. */
function compact(text: string): Buffer {
  const bytes = Buffer.from(text);
  let length = 0;
  let isString = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (!isString && (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09)) continue;
    bytes[length] = byte;
    length += 1;
    if (byte === QUOTE) isString = !isString;
    else if (byte === BACKSLASH && isString) {
      at += 1;
      bytes[length] = bytes[at] ?? 0;
      length += 1;
    }
  }
  return bytes.subarray(0, length);
}
