import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { KmsCodecError } from '../errors.ts';

// In @temporalio/proto, a message type is not the class of its messages, although it is declared as such.
const messagePrototype: unknown = Object.getPrototypeOf(proto.temporal.api.common.v1.Payload.create());

/*
 * JavaScript callers can pass values of any type, and protobuf's writer accepts them: it treats text as
 * base64, and an ArrayBuffer as empty. These checks run first, so that no data is lost or misread.
 */

/** @throws KmsCodecError `malformed` */
export function checkPayloads(payloads: unknown): asserts payloads is readonly Payload[] {
  if (!Array.isArray(payloads)) throw illTyped('payloads must be an array', payloads);
  // Iterates by index, to find holes in the array.
  for (let index = 0; index < payloads.length; index += 1) checkPayload(payloads[index]);
}

/** @throws KmsCodecError `malformed` */
export function checkPayload(payload: unknown): asserts payload is Payload {
  if (!isPlainObject(payload)) throw illTyped('A payload must be an object', payload);
  const { metadata, data } = payload;
  if (!isAbsent(data) && !isBytes(data)) throw illTyped('A payload’s data must be a Uint8Array', data);
  if (isAbsent(metadata)) return;
  if (!isPlainObject(metadata)) throw illTyped('A payload’s metadata must be an object', metadata);
  for (const key in metadata) {
    if (!key.isWellFormed()) throw notUnicode();
    const value = metadata[key];
    if (!isBytes(value)) throw illTyped('Each value in a payload’s metadata must be a Uint8Array', value);
  }
}

/**
 * Returns the payload in a form that protobuf's writer writes completely and that readers accept. The writer
 * alone would omit inherited properties (such as the getters of a class), round sizes, and write unknown
 * fields that a parser has kept.
 * @throws KmsCodecError `malformed` if there are unknown fields, or if an external payload's size is not an
 *   int64
 */
export function writable(payload: Payload): Payload {
  const { metadata, data } = payload;
  const external: unknown = payload.externalPayloads;
  if ('$unknowns' in payload) throw hasUnknownFields();
  if (!isAbsent(external) && !Array.isArray(external))
    throw illTyped('A payload’s externalPayloads must be an array', external);
  const isWhole = isUsualObject(payload) && (isAbsent(metadata) || isUsualObject(metadata));
  if (isWhole && !external?.length) return payload;
  return {
    metadata: isAbsent(metadata) ? null : withOwnEntries(metadata),
    data: data ?? null,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- protobuf's writer reads no other field of a Long.
    externalPayloads: (external ?? []).map(withExactSize) as NonNullable<Payload['externalPayloads']>,
  };
}

function withOwnEntries(metadata: NonNullable<Payload['metadata']>): NonNullable<Payload['metadata']> {
  const entries: [string, Uint8Array][] = [];
  for (const key in metadata) entries.push([key, metadata[key] ?? new Uint8Array()]);
  // `fromEntries` treats `__proto__` as an ordinary key.
  return Object.fromEntries(entries);
}

function withExactSize(details: unknown) {
  if (!isPlainObject(details)) throw illTyped('An external payload must be an object', details);
  if ('$unknowns' in details) throw hasUnknownFields();
  const { sizeBytes } = details;
  return isAbsent(sizeBytes) ? {} : { sizeBytes: toInt64(sizeBytes) };
}

const hasUnknownFields = () =>
  new KmsCodecError(
    'malformed',
    'The payload has fields that this version of the library does not know, and no reader would accept them; update the library',
  );

interface Int64 {
  readonly low: number;
  readonly high: number;
}

function toInt64(value: unknown): Int64 {
  if (isPlainObject(value) && isInt32(value['low']) && isInt32(value['high'])) {
    const { low, high, unsigned } = value;
    if (!unsigned || high >= 0) return { low, high };
  }
  const isExact =
    typeof value === 'bigint' ||
    Number.isSafeInteger(value) ||
    (typeof value === 'string' && /^-?\d{1,19}$/.test(value));
  const number = isExact ? BigInt(String(value)) : undefined;
  if (number === undefined || BigInt.asIntN(64, number) !== number) {
    throw new KmsCodecError(
      'malformed',
      'The sizeBytes of an external payload must be an int64: a whole number, bigint, Long or decimal text',
    );
  }
  return { low: Number(BigInt.asIntN(32, number)), high: Number(BigInt.asIntN(32, number >> 32n)) };
}

/** @throws KmsCodecError `malformed` if a field of the context is not text */
export function checkContext(context: unknown): void {
  if (isAbsent(context)) return;
  if (!isPlainObject(context)) throw illTyped('The context must be an object', context);
  checkText('namespace', context['namespace']);
  checkText('workflowId', context['workflowId']);
  checkText('activityId', context['activityId']);
}

function checkText(field: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string')
    throw illTyped(`The context’s ${field} must be text`, value);
}

// For a name with half of a surrogate pair, protobuf's writer would write invalid UTF-8, which no reader
// accepts.
const notUnicode = () =>
  new KmsCodecError(
    'malformed',
    'A name in a payload’s metadata contains half of a surrogate pair, so it is not Unicode text',
  );

const isAbsent = (value: unknown): value is null | undefined => value === null || value === undefined;

/**
 * Returns whether a value is a plain object. Returns false for arrays, Maps, Promises and ArrayBuffers, which
 * would look like objects without properties.
 */
const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  isUsualObject(value) || taggedName(value) === '[object Object]';

/**
 * Returns whether the value comes from an object literal or from protobuf's reader. This check is cheap, and
 * most payloads pass it.
 */
export function isUsualObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === messagePrototype) && !(Symbol.toStringTag in value);
}

const isInt32 = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) === (Number(value) | 0);

/**
 * Accepts a Uint8Array from another realm (as in test runners and vm contexts), and an empty array, which
 * protobuf's reader returns if there are no bytes. Rejects a Uint8Array whose memory was transferred or has
 * shrunk.
 */
const isBytes = (value: unknown): value is Uint8Array =>
  (Array.isArray(value) && value.length === 0) || isUint8Array(value);

const isUint8Array = (value: unknown): value is Uint8Array =>
  isArrayOfBytes(value) && (value.byteLength > 0 || !isLost(value));

const isArrayOfBytes = (value: unknown): value is Uint8Array =>
  value instanceof Uint8Array || (ArrayBuffer.isView(value) && tagOf(value) === 'Uint8Array');

/** Returns whether an array looks empty because its memory was transferred or has shrunk. */
function isLost(bytes: Uint8Array): boolean {
  try {
    bytes.at(0);
    return false;
  } catch {
    return true;
  }
}

/** Returns an error that names the value's kind, never the value itself. */
function illTyped(what: string, given: unknown): KmsCodecError {
  return new KmsCodecError('malformed', `${what}, but it is ${kindOf(given)}`);
}

/**
 * The built-in kinds of objects. Errors report no other kinds, because an object can choose the name of its
 * kind, and the name could be payload content.
 */
const builtIn: ReadonlySet<string> = new Set([
  'Array',
  'ArrayBuffer',
  'SharedArrayBuffer',
  'DataView',
  'Map',
  'Set',
  'Promise',
  'Date',
  ...[8, 16, 32].flatMap((bits) => [`Int${bits}Array`, `Uint${bits}Array`]),
]);

function kindOf(given: unknown): string {
  if (given === null) return 'null';
  if (typeof given !== 'object') return typeof given;
  const tag = tagOf(given);
  if (isArrayOfBytes(given) && isLost(given)) return 'an array that has lost its bytes';
  return builtIn.has(tag) ? tag : 'object';
}

const taggedName = (value: unknown): string => Object.prototype.toString.call(value);

const tagOf = (value: object) => taggedName(value).slice('[object '.length, -1);
