import { describe, expect, it } from 'vitest';
import { GCM_TAG_BYTES, NONCE_BYTES } from '../src/crypto/aead.ts';
import { buildHeader, type Header, parseHeader } from '../src/formats/envelope-v2-header.ts';
import { serialize } from '../src/formats/payload.ts';

const fill = (length: number, value: number) => new Uint8Array(length).fill(value);
const header = (over: Partial<Header> = {}): Header => ({
  compressed: false,
  keyId: fill(8, 1),
  keyVersion: 7,
  namespaceTag: fill(16, 2),
  workflowTag: undefined,
  salt: fill(16, 5),
  commitment: fill(16, 6),
  wrappedKey: fill(120, 3),
  ...over,
});

describe('the envelope-kms-v2 header', () => {
  it('has its fields at the offsets of the specification', () => {
    const bytes = buildHeader(header({ compressed: true, workflowTag: fill(16, 4) }));
    expect(Buffer.from(bytes).toString('hex')).toBe(
      `0203${'01'.repeat(8)}00000007${'02'.repeat(16)}${'04'.repeat(16)}${'05'.repeat(16)}${'06'.repeat(16)}0078${'03'.repeat(120)}`,
    );
  });

  it.each([
    header(),
    header({ compressed: true }),
    header({ workflowTag: fill(16, 4) }),
    header({ keyVersion: 2 ** 32 - 1 }),
  ])('parses to the fields that it was built from, without the bytes that follow', (original) => {
    const bytes = buildHeader(original);
    const parsed = parseHeader(Buffer.concat([bytes, fill(40, 9)]));
    expect(parsed.length).toBe(bytes.length);
    expect({ ...parsed.header, keyId: Uint8Array.from(parsed.header.keyId) }).toMatchObject({
      compressed: original.compressed,
      keyVersion: original.keyVersion,
    });
    expect(buildHeader(parsed.header)).toEqual(bytes);
  });

  it('is malformed if it is truncated at any byte', () => {
    const bytes = buildHeader(header({ workflowTag: fill(16, 4) }));
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => parseHeader(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'malformed' }),
      );
    }
  });

  it('leaves room for a 100-byte summary within Temporal’s 400 bytes, with the workflow tag and n = 125', () => {
    const summary = {
      metadata: { encoding: Buffer.from('json/plain') },
      data: Buffer.from(`"${'s'.repeat(100)}"`),
    };
    const start = buildHeader(header({ workflowTag: fill(16, 4), wrappedKey: fill(125, 3) }));
    const data = Buffer.alloc(start.length + NONCE_BYTES + serialize(summary).length + GCM_TAG_BYTES);
    expect(serialize({ metadata: { encoding: Buffer.from('binary/envelope-kms-v2') }, data })).toHaveLength(
      400,
    );
  });
});
