import { describe, expect, it } from 'vitest';
import proto from '@temporalio/proto';
import { KmsCodecError } from '../src/index.ts';
import { codecWith, cryptoKey, json } from './support/codec.ts';

const { Payload: PayloadType } = proto.temporal.api.common.v1;
const any = (value: unknown): any => value;
const text = Buffer.from('json/plain');
const bytes = Uint8Array.of(1, 2, 3);

function transferred(): Uint8Array {
  const array = Uint8Array.of(1, 2, 3);
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}

/** Returns a typed array that looks empty because its buffer was shrunk. */
function shrunk(): Uint8Array {
  const buffer = any(Reflect.construct(ArrayBuffer, [3, { maxByteLength: 3 }]));
  const array = new Uint8Array(buffer, 0, 3);
  buffer.resize(1);
  return array;
}

const payloads: Record<string, unknown> = {
  null: null,
  undefined: undefined,
  text: 'payload',
  'a number': 7,
  'an array': [],
  bytes,
  'an ArrayBuffer': bytes.buffer,
  'a promise of a payload': Promise.resolve(),
  'a Map': new Map([['data', bytes]]),
  'a Map as metadata': { metadata: new Map([['encoding', text]]), data: bytes },
  'an ArrayBuffer as metadata': { metadata: bytes.buffer, data: bytes },
  'data that was transferred': { metadata: { encoding: text }, data: transferred() },
  'data whose memory has shrunk': { metadata: { encoding: text }, data: shrunk() },
  'metadata whose memory has shrunk': { metadata: { encoding: shrunk() }, data: bytes },
  'text as metadata': { metadata: 'encoding' },
  'an array as metadata': { metadata: [bytes] },
  'text in the metadata': { metadata: { encoding: 'json/plain' } },
  'a number in the metadata': { metadata: { encoding: text, size: 7 } },
  'half of a surrogate pair in the metadata': { metadata: { encoding: text, '\ud83d': bytes }, data: bytes },
  'null in the metadata': { metadata: { encoding: text, more: null } },
  'an array in the metadata': { metadata: { encoding: [106] } },
  'text as data': { metadata: { encoding: text }, data: 'AQID' },
  'numbers as data': { metadata: { encoding: text }, data: [1, 2, 3] },
  'an ArrayBuffer as data': { metadata: { encoding: text }, data: bytes.buffer },
  'a SharedArrayBuffer as data': { metadata: { encoding: text }, data: new SharedArrayBuffer(3) },
  'a DataView as data': { metadata: { encoding: text }, data: new DataView(bytes.buffer) },
  'a Uint16Array as data': { metadata: { encoding: text }, data: Uint16Array.of(1, 2) },
  'an Int8Array as data': { metadata: { encoding: text }, data: Int8Array.of(1, 2) },
  'an object as data': { metadata: { encoding: text }, data: { length: 3, 0: 1 } },
  'a number as data': { metadata: { encoding: text }, data: 3 },
};
const contexts: Record<string, unknown> = {
  text: 'orders',
  'an array': [],
  'a number as the namespace': { namespace: 5 },
  'null as the namespace': { namespace: null },
  'an object as the workflow id': { namespace: 'orders', workflowId: {} },
  'a number as the activity id': { namespace: 'orders', activityId: 5 },
};

const rule = { encrypt: cryptoKey('k'), reads: ['envelope-v2', 'envelope', 'direct'] as const };
const { codec } = codecWith({}, { default: { ...rule, unsafe: ['direct-with-envelope'] } });
const malformed = expect.objectContaining({ type: 'KmsCodecError:malformed', code: 'malformed' });

describe('the codec', () => {
  it.each(Object.entries(payloads))(
    'throws a KmsCodecError if a payload is or contains %s',
    async (_, payload) => {
      await expect(codec.encode([any(payload)])).rejects.toEqual(malformed);
      await expect(codec.decode([any(payload)])).rejects.toEqual(malformed);
      await expect(codec.decrypt(any(payload))).rejects.toEqual(malformed);
      expect(codec.inspect(any(payload))).toMatchObject({ reason: 'malformed' });
      expect(() => codec.plan([any(payload)])).toThrow(KmsCodecError);
    },
  );

  it.each(Object.entries(payloads))('accepts only an array as the list of payloads: %s', async (_, value) => {
    if (Array.isArray(value)) return expect(await codec.encode(any(value))).toEqual([]);
    await expect(codec.encode(any(value))).rejects.toEqual(malformed);
    await expect(codec.decode(any(value))).rejects.toEqual(malformed);
  });

  it('throws a KmsCodecError if a list of payloads has a hole', async () => {
    // oxlint-disable-next-line no-sparse-arrays
    await expect(codec.encode(any([, json(1)]))).rejects.toEqual(malformed);
  });

  it.each(Object.entries(contexts))(
    'throws a KmsCodecError if the context is or contains %s',
    async (_, context) => {
      await expect(codec.encode([json(1)], any(context))).rejects.toEqual(malformed);
      await expect(codec.decode([json(1)], any(context))).rejects.toEqual(malformed);
      await expect(codec.decrypt(json(1), any(context))).rejects.toEqual(malformed);
      expect(codec.inspect(json(1), any(context))).toMatchObject({ reason: 'malformed' });
    },
  );

  it('accepts the empty arrays that protobufjs returns for absent bytes', async () => {
    // The first payload has no data. The second payload has a metadata entry with a key but no value.
    const marker = Buffer.from('compression/algorithm');
    const entry = Buffer.concat([Buffer.of(0x0a, marker.length + 2, 0x0a, marker.length), marker]);
    const absent = [
      PayloadType.decode(PayloadType.encode({ metadata: { encoding: Buffer.from('binary/null') } }).finish()),
      PayloadType.decode(entry),
    ];
    for (const payload of absent) {
      expect(payload.data).not.toBeInstanceOf(Uint8Array);
      const [passed] = await codec.decode([payload]);
      expect(passed).toBe(payload);
      expect(codec.inspect(payload)).not.toHaveProperty('reason', 'malformed');
      const [decoded] = await codec.decode(await codec.encode([payload])).catch((error: unknown) => [error]);
      if (payload === absent[0])
        expect(PayloadType.encode(any(decoded)).finish()).toEqual(PayloadType.encode(payload).finish());
      else expect(decoded).toMatchObject({ code: 'layer_unreadable' });
    }
  });

  it('accepts bytes from another realm', async () => {
    const { runInNewContext } = await import('node:vm');
    const data: unknown = runInNewContext('Uint8Array.of(34, 97, 34)');
    const [stored] = await codec.encode([{ metadata: { encoding: text }, data: any(data) }]);
    const [decoded] = await codec.decode([stored!]);
    expect(Buffer.from(decoded!.data!).toString()).toBe('"a"');
  });

  const kinds: readonly (readonly [string, unknown])[] = [
    ['null', null],
    ['string', 'text'],
    ['an array that has lost its bytes', transferred()],
    // An object can choose its toStringTag, which could be payload content.
    ['object', { [Symbol.toStringTag]: 'canary', canary: 1 }],
    ...[
      [1],
      bytes,
      bytes.buffer,
      new SharedArrayBuffer(1),
      new DataView(bytes.buffer),
      new Map(),
      new Set(),
      Promise.resolve(),
      new Date(0),
      ...[Int8Array, Int16Array, Int32Array, Uint16Array, Uint32Array].map((type) => type.of(1)),
    ].map((value) => [value.constructor.name, value] as const),
  ];
  it.each(kinds)('describes a wrong value only by its kind: %s', async (kind, value) => {
    await expect(codec.encode([any(value)])).rejects.toThrow(new RegExp(`but it is ${kind}$`));
  });
});

/**
 * Returns a serialized payload whose field 1 is a map entry with only a key. protobufjs reads the missing
 * value and the absent data as empty arrays.
 */
const withEmpty = (key: string) =>
  PayloadType.decode(Uint8Array.from([0x0a, key.length + 2, 0x0a, key.length, ...Buffer.from(key)]));

describe('a payload that is not a plain object literal', () => {
  const metadata = { encoding: text };

  class WithGetters {
    get metadata() {
      return metadata;
    }
    get data() {
      return bytes;
    }
    get externalPayloads() {
      return [{ sizeBytes: 7 }];
    }
  }

  const shared = new Uint8Array(new SharedArrayBuffer(8), 2, 3);
  shared.set(bytes);
  const padded = Buffer.concat([text, bytes, text]);

  const whole: readonly (readonly [string, unknown])[] = [
    ['an instance of a class with getters', new WithGetters()],
    ['an object that inherits its fields', Object.create({ metadata, data: bytes })],
    ['an object without a prototype', Object.assign(Object.create(null), { metadata, data: bytes })],
    ['metadata that inherits its entries', { metadata: Object.create(metadata), data: bytes }],
    ['metadata without a prototype', { metadata: Object.assign(Object.create(null), metadata), data: bytes }],
    ['a protobuf message', PayloadType.create({ metadata, data: bytes })],
    ['data in shared memory', { metadata, data: shared }],
    ['a view into a larger buffer', { metadata, data: padded.subarray(text.length, text.length + 3) }],
    [
      'a view of a view',
      { metadata, data: new Uint8Array(padded.buffer, padded.byteOffset + text.length, 3) },
    ],
  ];
  it.each(whole)('is encrypted completely: %s', async (_, payload) => {
    for (const format of ['envelope-v2', 'envelope', 'direct'] as const) {
      const one = codecWith({}, { default: { ...rule, unsafe: ['direct-with-envelope'] }, format }).codec;
      const [decoded] = await one.decode(await one.encode([any(payload)]));
      expect(Object.entries(decoded!.metadata!)).toEqual([['encoding', text]]);
      expect(Buffer.from(decoded!.data!)).toEqual(Buffer.from(bytes));
      const sizes = (decoded!.externalPayloads ?? []).map(({ sizeBytes }) => String(sizeBytes));
      expect(sizes).toEqual(payload instanceof WithGetters ? ['7'] : []);
    }
  });

  it('is decrypted if its data is in shared memory or is a view of a larger buffer', async () => {
    const [stored] = await codec.encode([json('shared')]);
    const { length } = stored!.data!;
    const memory = new Uint8Array(new SharedArrayBuffer(length + 9), 9);
    memory.set(stored!.data!);
    for (const data of [memory, Buffer.concat([text, stored!.data!]).subarray(text.length)]) {
      const [decoded] = await codec.decode([{ ...stored!, data }]);
      expect(Buffer.from(decoded!.data!).toString()).toBe('"shared"');
    }
  });

  // [P-8]
  it.each([
    ['it', { data: bytes, $unknowns: [Buffer.of(0x78, 1)] }],
    ['a payload with an encoding', { metadata, data: bytes, $unknowns: [Buffer.of(0x78, 1)] }],
    [
      'an external payload',
      { data: bytes, externalPayloads: [{ sizeBytes: 1, $unknowns: [Buffer.of(0x78, 1)] }] },
    ],
  ])('is rejected if %s has unknown fields, because no reader accepts them', async (_, payload) => {
    // Encodes a valid payload first, because the codec may encode later payloads through a shortcut.
    await codec.encode([json(1)]);
    await expect(codec.encode([any(payload)])).rejects.toEqual(malformed);
  });
});

describe("protobuf's empty fields", () => {
  it.each([
    'encoding',
    'kms-key',
    'encrypted-dek',
    'encryption-dek',
    'encryption-key-id',
    'messageType',
    'compression-algorithm',
    'other',
  ])('are read as if they had no bytes: %s', async (key) => {
    const { codec: reader } = codecWith({ default: { encrypt: cryptoKey('a') } });
    const payload = withEmpty(key);
    expect(reader.inspect(payload)).toMatchObject({ format: 'plain', bytes: 0 });
    await expect(reader.decode([payload])).resolves.toEqual([payload]);
    const [decoded] = await reader.decode(await reader.encode([payload]));
    expect(Object.keys(decoded!.metadata!)).toEqual([key]);
    expect(decoded!.data).toHaveLength(0);
  });

  it.each(['binary/envelope-kms-v2', 'binary/envelope-kms', 'binary/gcp-kms', 'binary/encrypted'])(
    'cause a KmsCodecError, and no other error, in a message with the encoding %s',
    async (encoding) => {
      const { codec: reader } = codecWith({
        default: {
          encrypt: cryptoKey('a'),
          reads: ['envelope-v2', 'envelope', 'direct', 'proxy', 'static'],
          unsafe: ['direct-with-envelope'],
          plaintext: 'refuse',
        },
      });
      for (const key of ['encrypted-dek', 'kms-key', 'encryption-dek', 'encryption-key-id']) {
        const payload = withEmpty(key);
        payload.metadata['encoding'] = Buffer.from(encoding);
        for (const one of [payload, { metadata: payload.metadata }]) {
          expect(() => reader.inspect(one)).not.toThrow();
          await expect(reader.decrypt(one)).rejects.toBeInstanceOf(KmsCodecError);
          await expect(reader.decode([one])).rejects.toBeInstanceOf(KmsCodecError);
        }
      }
    },
  );
});

describe('an external payload’s size', () => {
  const max = 2n ** 63n - 1n;
  const sizes: readonly (readonly [string, unknown, bigint])[] = [
    ['a number', 7, 7n],
    ['the largest safe number', Number.MAX_SAFE_INTEGER, 2n ** 53n - 1n],
    ['a bigint', 2n ** 53n + 1n, 2n ** 53n + 1n],
    ['the largest bigint', max, max],
    ['the smallest bigint', -(2n ** 63n), -(2n ** 63n)],
    ['text', '9007199254740993', 9_007_199_254_740_993n],
    ['the largest text', String(max), max],
    ['a Long', { low: 1, high: 2 ** 21, unsigned: false }, 2n ** 53n + 1n],
    ['an unsigned Long', { low: 7, high: 0, unsigned: true }, 7n],
    ['nothing', undefined, 0n],
  ];
  it.each(sizes)('keeps its value if it is given as %s', async (_, sizeBytes, expected) => {
    const payload = {
      metadata: { encoding: text },
      data: bytes,
      externalPayloads: [{ sizeBytes: any(sizeBytes) }],
    };
    for (const format of ['envelope-v2', 'envelope', 'direct'] as const) {
      const one = codecWith({}, { default: { ...rule, unsafe: ['direct-with-envelope'] }, format }).codec;
      const [stored] = await one.encode([payload]);
      const [decoded] = await one.decode([stored!]);
      expect(BigInt(String(decoded!.externalPayloads![0]!.sizeBytes ?? 0))).toBe(expected);
      // Also checks that the decoded payload can be encoded again.
      const [again] = await one.decode(await one.encode([decoded!]));
      expect(PayloadType.encode(again!).finish()).toEqual(PayloadType.encode(decoded!).finish());
    }
  });

  it.each([
    2 ** 53,
    1.5,
    Number.NaN,
    Infinity,
    max + 1n,
    '9223372036854775808',
    '1e3',
    '',
    ' 7',
    '0x10',
    true,
    {},
    { low: 1.5, high: 0 },
    { low: 2 ** 32, high: 0 },
    { low: 1, high: -1, unsigned: true },
  ])('is rejected if it is %s', async (sizeBytes) => {
    const payload = { data: bytes, externalPayloads: [{ sizeBytes: any(sizeBytes) }] };
    await expect(codec.encode([payload])).rejects.toEqual(malformed);
  });

  it.each([[{}], ['x'], [[null]], [[7]], [[[]]]])(
    'is rejected if the list of external payloads is %s',
    async (externalPayloads) => {
      // Encodes a valid payload first, because the codec may encode later payloads through a shortcut.
      await codec.encode([json(1)]);
      for (const metadata of [{}, { encoding: text }]) {
        const payload = { metadata, data: bytes, externalPayloads: any(externalPayloads) };
        await expect(codec.encode([payload])).rejects.toEqual(malformed);
      }
    },
  );
});
