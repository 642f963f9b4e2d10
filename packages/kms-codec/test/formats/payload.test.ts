import proto from '@temporalio/proto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asPlaintext } from '../../src/crypto/plaintext.ts';
import { writable } from '../../src/formats/check-payload.ts';
import { countFields, deserialize, readUsual } from '../../src/formats/payload-reader.ts';
import {
  fieldsOf,
  memoryOfFields,
  type Payload,
  withSerialized,
  withUsual,
} from '../../src/formats/payload.ts';
import { json, serialize } from '../support/codec.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
const any = (value: unknown): any => value;
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((content) => Buffer.from(content));

/** The length of the longest encoding for which the length of the metadata entry fits into one byte. */
const LONGEST = 115;
const SEPARATE = 32 * 1024;
const sized = (encoding: number, data: number): Payload => ({
  metadata: { encoding: Buffer.alloc(encoding, 'x') },
  data: Buffer.alloc(data, 7),
});

it.each([
  [0, 1],
  [10, 1_024],
  [LONGEST, SEPARATE - 1],
])('the shortcuts write and read a payload with %i bytes of encoding and %i of data', (encoding, data) => {
  const payload = sized(encoding, data);
  const written = withUsual(payload, (piece) => Buffer.from(piece));
  expect(written).toEqual(serialize(payload));
  expect(readUsual(serialize(payload))).toEqual(payload);
});

it.each<[string, Payload]>([
  ['without data', { metadata: { encoding: Buffer.from('a') } }],
  ['with large data', sized(10, SEPARATE)],
  ['with a long encoding', sized(LONGEST + 1, 1)],
  ['without metadata', { data: Buffer.of(1) }],
  ['with further metadata', { ...json(1), metadata: { encoding: Buffer.from('a'), more: Buffer.from('b') } }],
  ['with external payloads', { ...json(1), externalPayloads: [{}] }],
  ['with an object as external payloads', { ...json(1), externalPayloads: any({}) }],
  ['with unknown fields', Object.assign(json(1), { $unknowns: [] })],
])('withUsual leaves a payload %s to protobuf’s writer', (_, payload) => {
  expect(withUsual(payload, () => true)).toBeUndefined();
});

it.each<[string, Payload]>([
  ['an object literal', json(1)],
  ['an object literal without metadata', { data: Buffer.of(1) }],
  ['protobuf’s reader', PayloadMessage.decode(serialize(json(1)))],
])('writable does not copy a payload from %s', (_, payload) => {
  expect(writable(payload)).toBe(payload);
});

const copies = (payload: Payload) =>
  withSerialized(payload, (pieces) => pieces.map((piece) => Buffer.from(piece)));

const pieceOf = (payload: Payload) => withSerialized(payload, ([piece]) => piece!);

describe('withSerialized', () => {
  const large = sized(10, SEPARATE);

  it('passes large data on as a separate piece, without copying it', () => {
    expect(withSerialized(large, (pieces) => pieces[1] === large.data)).toBe(true);
    for (const payload of [sized(10, SEPARATE - 1), { ...large, externalPayloads: [{}] }])
      expect(copies(payload)).toEqual([serialize(payload)]);
    expect(Buffer.concat(copies(large))).toEqual(serialize(large));
  });

  it.each([
    ['by the shortcut', sized(10, 10)],
    ['by protobuf’s writer', sized(LONGEST + 1, 10)],
  ])('wipes the bytes that were written %s, even if the callback throws', (_, payload) => {
    for (const stop of [false, true]) {
      let kept: Uint8Array = Buffer.of(1);
      const use = ([piece]: readonly Uint8Array[]) => {
        kept = piece!;
        if (stop) throw new Error('stopped');
      };
      if (stop) expect(() => withSerialized(payload, use)).toThrow('stopped');
      else withSerialized(payload, use);
      expect(kept.every((byte) => byte === 0)).toBe(true);
    }
    const shortcut = withUsual(sized(10, 10), ({ buffer }) => new Uint8Array(buffer));
    expect(shortcut?.every((byte) => byte === 0)).toBe(true);
  });

  it.each([
    ['keeps a buffer of 256 KiB', 256 * 1024, true],
    ['releases a larger buffer', 256 * 1024 + 1, false],
  ])('%s of protobuf’s writer', (_, length, isKept) => {
    const overhead = serialize(sized(length, 0)).length - length;
    const first = pieceOf(sized(length - overhead, 0));
    expect(first).toHaveLength(length);
    expect(pieceOf(sized(LONGEST + 1, 10)).buffer === first.buffer).toBe(isKept);
  });

  it('still works after protobuf’s writer has failed to write a payload', () => {
    const broken = { metadata: { encoding: Buffer.from('a'), more: any(null) } };
    expect(() => copies(broken)).toThrow();
    const payload = sized(LONGEST + 1, 10);
    expect(copies(payload)).toEqual([serialize(payload)]);
  });
});

it('counts the memory of a payload’s fields if the payload has more than 16 fields', () => {
  expect(fieldsOf({ metadata: { a: Buffer.of(1), b: Buffer.of(2) }, externalPayloads: [{}] })).toBe(4);
  expect(fieldsOf({})).toBe(1);
  expect([16, 17].map(memoryOfFields)).toEqual([0, 17 * 256]);
});

it('readUsual parses only payloads that the strict reader parses identically', () => {
  const serialized = fc
    .record({ encoding: bytes(130), data: bytes(300) })
    .map(({ encoding, data }) => Buffer.from(serialize({ metadata: { encoding }, data })));
  const change = fc.record({ at: fc.nat(40), to: fc.uint8Array({ maxLength: 6 }), replaced: fc.nat(6) });
  fc.assert(
    fc.property(serialized, fc.array(change, { maxLength: 2 }), (message, changes) => {
      let changed = message;
      for (const { at, to, replaced } of changes) {
        changed = Buffer.concat([changed.subarray(0, at), to, changed.subarray(at + replaced)]);
      }
      const plaintext = asPlaintext(changed);
      const usual = readUsual(plaintext);
      if (usual) expect(usual).toEqual(deserialize(plaintext));
    }),
    { numRuns: 5_000 },
  );
});

it.each([
  [
    'two metadata entries',
    { metadata: { encoding: Buffer.from('a'), messageType: Buffer.from('b') }, data: Buffer.from('x') },
  ],
  ['another metadata key', { metadata: { encodinG: Buffer.from('a') }, data: Buffer.from('x') }],
  ['no data', { metadata: { encoding: Buffer.from('binary/null') } }],
  ['no metadata', { data: Buffer.from('x') }],
  [
    'external payloads',
    { metadata: { encoding: Buffer.from('a') }, data: Buffer.from('x'), externalPayloads: [{}] },
  ],
])('readUsual leaves a payload with %s to the strict reader', (_, payload) => {
  expect(readUsual(serialize(payload))).toBeUndefined();
});

it('readUsual returns undefined if the bytes before the encoding differ from the usual form', () => {
  const start = Buffer.from('\n\x16\n\x08encoding\x12\n');
  const message = serialize(json(1));
  expect(Buffer.from(message.subarray(0, start.length))).toEqual(start);
  for (const at of start.keys()) {
    const changed = Buffer.from(message);
    changed[at]! ^= 0x40;
    expect(readUsual(asPlaintext(changed))).toBeUndefined();
  }
  // The length of the entry continues in the next byte.
  const long = Buffer.from(`\n\x90\n\x08encoding\x12\x84${'x'.repeat(0x84)}\x12\x011`, 'latin1');
  expect(readUsual(asPlaintext(long))).toBeUndefined();
});

const malformed = expect.objectContaining({ code: 'malformed' });

describe('the strict reader', () => {
  it.each([
    ['an external payload with another field', '1a021005'],
    ['an external payload whose size is followed by a field of the payload', '1a050805120178'],
  ])('refuses %s', (_, hex) => {
    expect(() => deserialize(asPlaintext(Buffer.from(hex, 'hex')))).toThrow(malformed);
  });

  it('refuses an unknown field before it counts the memory for further fields', () => {
    expect(() => countFields(asPlaintext(Buffer.from('2200', 'hex')))).toThrow(malformed);
  });

  const name = fc.string({ unit: 'binary', maxLength: 140 });
  const payload = fc.record({
    metadata: fc.dictionary(name, bytes(140), { maxKeys: 20 }),
    data: bytes(300),
    sizes: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { maxLength: 3 }),
  });

  it('reads every payload that protobuf’s writer serializes', () => {
    fc.assert(
      fc.property(payload, ({ sizes, ...fields }) => {
        const { externalPayloads } = PayloadMessage.fromObject({
          externalPayloads: sizes.map((size) => ({ sizeBytes: String(size) })),
        });
        const written = serialize({ ...fields, externalPayloads });
        const read = deserialize(written);
        expect(serialize(read)).toEqual(written);
        expect(Object.entries(read.metadata ?? {})).toEqual(Object.entries(fields.metadata));
      }),
      { numRuns: 1_000 },
    );
  });
});
