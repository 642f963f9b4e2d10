import proto from '@temporalio/proto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asPlaintext } from '../src/crypto/plaintext.ts';
import { deserialize, readUsual } from '../src/formats/payload-reader.ts';
import { serialize } from '../src/formats/payload.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((content) => Buffer.from(content));

it('readUsual parses a payload that has only data and an encoding', () => {
  const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.alloc(1_024, 7) };
  expect(readUsual(serialize(payload))).toEqual(payload);
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

describe('the strict reader', () => {
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
