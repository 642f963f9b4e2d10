import { json, payload, serialized, utf8, withExternal } from '../make/bytes.ts';
import { caseV2, secret } from '../make/v2.ts';
import type { Payload } from '../../../src/formats/payload.ts';
import type { VectorFile } from '../make/vector.ts';

/* The holder of a data key can encrypt any plaintext, and parsers of protobuf disagree about what some of them mean. */

/** A field of at most 127 bytes. */
const field = (tag: number, content: Uint8Array) => Buffer.concat([Buffer.of(tag, content.length), content]);
const [METADATA, DATA, EXTERNAL] = [0x0a, 0x12, 0x1a];
const [KEY, VALUE] = [0x0a, 0x12];

const key = (name: string) => field(KEY, utf8(name));
const value = (content: string) => field(VALUE, utf8(content));
const entry = (...fields: Uint8Array[]) => field(METADATA, Buffer.concat(fields));
const data = (content: string) => field(DATA, utf8(content));

const encoding = entry(key('encoding'), value('json/plain'));
const amount = data('{"amount":1}');
const inner = payload({ encoding: 'json/plain' }, '{"amount":1}');
const join = (...parts: Uint8Array[]) => Buffer.concat(parts);

const accepts = (name: string, why: string, plaintext: Uint8Array, result: Payload = inner) =>
  caseV2({ name, why, plaintext, inner: result });
const refuses = (name: string, plaintext: Uint8Array, why: string) =>
  caseV2({ name, why, plaintext, code: 'malformed' });

/** An external payload whose size is these bytes of a varint. */
const sized = (...varint: number[]) => field(EXTERNAL, Buffer.of(0x08, ...varint));
const negative = json('an object of unknown size');

const accepted = [
  accepts(
    'accepts data before metadata',
    'A serializer may write the fields in any order.',
    join(amount, encoding),
  ),
  accepts(
    'accepts a value before its key',
    'A serializer may write the fields of an entry in any order.',
    join(entry(value('json/plain'), key('encoding')), amount),
  ),
  accepts(
    'accepts an entry without a value',
    'Some serializers omit an empty value.',
    join(entry(key('encoding')), amount),
    payload({ encoding: '' }, '{"amount":1}'),
  ),
  accepts(
    'accepts an entry without a key',
    'Some serializers omit an empty key.',
    join(encoding, entry(value('x')), amount),
    payload({ encoding: 'json/plain', '': 'x' }, '{"amount":1}'),
  ),
  accepts(
    'accepts an empty data field',
    'Some serializers omit it, and some write it.',
    join(entry(key('encoding'), value('binary/null')), Buffer.of(DATA, 0)),
    payload({ encoding: 'binary/null' }, ''),
  ),
  accepts(
    'accepts a key of any Unicode text',
    'Also with a byte order mark, a zero byte and a character outside the basic plane.',
    join(encoding, entry(key('\ufeff\0ü🧾'), value('x')), amount),
    payload({ encoding: 'json/plain', '\ufeff\0ü🧾': 'x' }, '{"amount":1}'),
  ),
  accepts(
    'accepts external payloads without and with a size',
    'They are a part of the payload. A missing size is 0.',
    join(serialized(negative), field(EXTERNAL, Buffer.alloc(0)), sized(0), sized(0xac, 0x02)),
    {
      ...negative,
      externalPayloads: [0, 0, 300].flatMap((size) => withExternal(negative, size).externalPayloads ?? []),
    },
  ),
  accepts(
    'accepts a negative size of an external payload',
    'An int64 below 0 has ten bytes.',
    join(serialized(negative), sized(...Array.from({ length: 9 }, () => 0xff), 0x01)),
    withExternal(negative, -1),
  ),
];

const many = (count: number) => Array.from({ length: count }, () => field(EXTERNAL, Buffer.alloc(0)));
/** Two fields and external payloads without a size, of which each has two bytes. */
const withMany = (count: number) => join(encoding, amount, ...many(count));
const [sixteen, seventeen] = [withMany(14), withMany(15)];
const limits = [
  {
    ...accepts(
      'counts no memory for sixteen fields',
      'Only the ciphertext counts towards the limit of the call.',
      sixteen,
      withZeros(14),
    ),
    codec: { maxCallBytes: sixteen.length },
  },
  {
    ...accepts(
      'counts 256 bytes for each of seventeen fields',
      'A field of two bytes takes much more memory.',
      seventeen,
      withZeros(15),
    ),
    codec: { maxCallBytes: seventeen.length + 17 * 256 },
  },
  {
    ...caseV2({
      name: 'refuses seventeen fields whose memory is above the limit of the call',
      why: 'A field of two bytes takes much more memory.',
      plaintext: seventeen,
      code: 'too_large',
    }),
    codec: { maxCallBytes: seventeen.length + 17 * 256 - 1 },
  },
  {
    ...refuses(
      'reports an unknown field rather than the memory for many fields',
      join(seventeen, Buffer.of(0x78, 0x01)),
      'The reader counts the fields of the payload first.',
    ),
    codec: { maxCallBytes: seventeen.length + 2 },
  },
];

function withZeros(count: number): Payload {
  const sizes = Array.from({ length: count }, () => withExternal(inner, 0).externalPayloads ?? []);
  return { ...inner, externalPayloads: sizes.flat() };
}

const million = data('{"amount":1000000}');
const refused = [
  refuses(
    'refuses an unknown field inside a metadata entry',
    join(encoding, entry(key('encoding'), value('binary/encrypted'), field(0x1a, utf8('x'))), million),
    'Python’s parser drops the entry, TypeScript’s only the field: a worker reads JSON, and the server cannot decrypt a layer.',
  ),
  refuses(
    'refuses an unknown field inside the only entry of its key',
    join(encoding, entry(key('compression/algorithm'), value('zstd'), field(0x1a, utf8('x'))), million),
    'The content is compressed to one parser, and not to the other.',
  ),
  refuses(
    'refuses a second value in an entry',
    join(
      entry(key('encoding'), value('json/plain'), Buffer.of(0x12, 0x10), utf8('binary/encrypted')),
      million,
    ),
    'The first or the last could count: the payload is JSON to one reader and encrypted to another.',
  ),
  refuses(
    'refuses a second key in an entry',
    join(entry(key('other'), key('encoding'), value('json/plain')), amount),
    'The first or the last could count.',
  ),
  refuses(
    'refuses a key that occurs twice',
    join(encoding, entry(key('encoding'), value('binary/encrypted')), amount),
    'The first or the last entry could count. No serializer of a map writes it.',
  ),
  refuses(
    'refuses two entries without a key',
    join(encoding, entry(value('a')), entry(value('b')), amount),
    'Both have the empty key.',
  ),
  refuses(
    'refuses a second data field',
    join(encoding, data('{"amount":2}'), amount),
    'The first or the last could count.',
  ),
  refuses(
    'refuses an empty data field in front of the data',
    join(Buffer.of(DATA, 0), encoding, amount),
    'Only binary/gcp-kms writes it, in front of 32 bytes.',
  ),
  refuses(
    'refuses an unknown field of the payload',
    join(serialized(secret), Buffer.of(0x78, 0x01)),
    'Field 15. A new field needs a new version of the format, because old readers would ignore it.',
  ),
  refuses('refuses field 0', join(serialized(secret), Buffer.of(0x02, 0x00)), 'Field numbers start with 1.'),
  refuses(
    'refuses data as a varint',
    join(encoding, Buffer.of(0x10, 0x01)),
    'A parser treats a field with another wire type as unknown.',
  ),
  refuses(
    'refuses a group',
    join(encoding, amount, Buffer.of(0x0b, 0x0c)),
    'A start and an end of a group, with the number of the metadata.',
  ),
  refuses(
    'refuses the end of a group',
    join(encoding, amount, Buffer.of(0x0c)),
    'Some parsers stop there, and ignore what follows.',
  ),
  refuses(
    'refuses a tag of two bytes',
    join(encoding, Buffer.of(0x92, 0x00, 0x01), utf8('x')),
    'The field number of the data, not in its shortest form.',
  ),
  refuses(
    'refuses a tag of six bytes',
    join(encoding, Buffer.of(0x92, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01), utf8('x')),
    'Parsers differ in how many bytes of a tag they read.',
  ),
  refuses(
    'refuses a length of two bytes that fits into one',
    join(encoding, Buffer.of(DATA, 0x81, 0x00), utf8('x')),
    'The length 1, not in its shortest form.',
  ),
  refuses(
    'refuses a length of two bytes that fits into one, after the encoding',
    join(
      encoding,
      Buffer.of(DATA, 0x80 | (amount.length - 2) | (amount.length - 2), 0x00),
      amount.subarray(2),
    ),
    'Also in a payload that is otherwise the most common one.',
  ),
  refuses(
    'refuses a length of six bytes',
    join(encoding, Buffer.of(DATA, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00), utf8('x')),
    'Parsers differ in how many bytes of a length they read.',
  ),
  refuses(
    'refuses a length of 2^32 + 1',
    join(encoding, Buffer.of(DATA, 0x81, 0x80, 0x80, 0x80, 0x10), utf8('x')),
    'A reader that keeps 32 bits would read 1.',
  ),
  refuses(
    'refuses a length beyond the end of the plaintext',
    join(encoding, Buffer.of(DATA, 2), utf8('x')),
    'The data is truncated.',
  ),
  refuses(
    'refuses a length beyond the end of its entry',
    join(Buffer.of(METADATA, 12, KEY, 8), utf8('encoding'), Buffer.of(VALUE, 1), utf8('x')),
    'The value ends after the entry, in the plaintext that follows.',
  ),
  refuses('refuses a tag without a length', join(encoding, Buffer.of(DATA)), 'The plaintext is truncated.'),
  refuses(
    'refuses a key that is not UTF-8',
    join(encoding, entry(field(KEY, Buffer.of(0xff)), value('x')), amount),
    'Parsers differ: they refuse it, or replace the byte.',
  ),
  refuses(
    'refuses half of a surrogate pair in a key',
    join(encoding, entry(field(KEY, Buffer.of(0xed, 0xa0, 0xbd)), value('x')), amount),
    'UTF-8 has no surrogates.',
  ),
  refuses(
    'refuses an overlong form in a key',
    join(encoding, entry(field(KEY, Buffer.of(0xc1, 0xa1)), value('x')), amount),
    'The letter a in two bytes.',
  ),
  refuses(
    'refuses an unknown field of an external payload',
    join(serialized(secret), field(EXTERNAL, Buffer.of(0x08, 0x01, 0x10, 0x01))),
    'An external payload has field 1 only.',
  ),
  refuses(
    'refuses a second size of an external payload',
    join(serialized(secret), field(EXTERNAL, Buffer.of(0x08, 0x01, 0x08, 0x02))),
    'The first or the last could count.',
  ),
  refuses(
    'refuses a size that is not in its shortest form',
    join(serialized(secret), sized(0x81, 0x00)),
    'The size 1 in two bytes.',
  ),
  refuses(
    'refuses a size of more than 64 bits',
    join(serialized(secret), sized(...Array.from({ length: 9 }, () => 0xff), 0x02)),
    'A parser may drop the bits above.',
  ),
  refuses(
    'refuses a size of eleven bytes',
    join(serialized(secret), sized(...Array.from({ length: 10 }, () => 0xff), 0x01)),
    'A varint has at most ten.',
  ),
  refuses(
    'refuses a size that is truncated',
    join(serialized(secret), field(EXTERNAL, Buffer.of(0x08, 0x81)), Buffer.of(0x01)),
    'The varint ends after its field.',
  ),
];

export const profile: VectorFile = {
  about:
    'The plaintext of a message: the serializations of a Payload that the reader accepts and refuses, as binary/envelope-kms-v2.',
  vectors: [...accepted, ...refused, ...limits],
};
