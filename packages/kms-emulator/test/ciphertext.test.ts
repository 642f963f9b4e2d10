import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newLocator, newMaterial, open, parseCiphertext, seal } from '../src/crypto/ciphertext.ts';
import { crc32c } from '../src/crypto/crc32c.ts';

const material = newMaterial();
const locator = newLocator(7);
const runs = { numRuns: process.env['SLOW'] === '1' ? 10_000 : 500 };
const data = (max: number) => fc.uint8Array({ maxLength: max });

function opened(ciphertext: Uint8Array, aad: Uint8Array, key = material): Buffer | undefined {
  const parsed = parseCiphertext(ciphertext);
  return parsed === undefined || !parsed.locator.equals(locator) ? undefined : open(key, parsed, aad);
}

describe('a ciphertext', () => {
  it('opens to what was sealed, with the additional data that it was sealed with', () => {
    fc.assert(
      fc.property(data(70_000), data(200), (plaintext, aad) => {
        expect(opened(seal(material, locator, plaintext, aad), aad)).toEqual(Buffer.from(plaintext));
      }),
      { numRuns: 100 },
    );
  });

  it('is 113 bytes for 32, as Cloud KMS makes it, and 81 to 83 longer than any plaintext', () => {
    const sizes = [0, 32, 86, 87, 1024, 16_342, 16_343, 65_536];
    const overhead = sizes.map(
      (size) => seal(material, locator, new Uint8Array(size), new Uint8Array()).length - size,
    );
    expect(overhead).toEqual([81, 81, 81, 82, 82, 82, 83, 83]);
  });

  it('names its version', () => {
    const { locator: found } =
      parseCiphertext(seal(material, locator, Buffer.from('x'), Buffer.alloc(0))) ?? {};
    expect(found).toEqual(locator);
    expect(found?.readUInt32BE(31)).toBe(7);
  });

  it('opens to nothing once any bit of it is turned', () => {
    fc.assert(
      fc.property(data(300), data(50), fc.nat(), fc.nat(7), (plaintext, aad, position, bit) => {
        const ciphertext = seal(material, locator, plaintext, aad);
        const index = position % ciphertext.length;
        ciphertext[index] = (ciphertext[index] ?? 0) ^ (1 << bit);
        expect(opened(ciphertext, aad)).toBeUndefined();
      }),
      runs,
    );
  });

  it('opens to nothing once it is cut, lengthened or made of anything else', () => {
    fc.assert(
      fc.property(data(300), fc.nat(), data(10), data(500), (plaintext, at, more, garbage) => {
        const aad = new Uint8Array();
        const ciphertext = seal(material, locator, plaintext, aad);
        expect(opened(ciphertext.subarray(0, at % ciphertext.length), aad)).toBeUndefined();
        expect(opened(Buffer.concat([ciphertext, Buffer.of(0), more]), aad)).toBeUndefined();
        expect(opened(garbage, aad)).toBeUndefined();
      }),
      runs,
    );
  });

  it('opens to nothing with another key or other additional data', () => {
    fc.assert(
      fc.property(data(100), data(50), data(50), (plaintext, aad, other) => {
        fc.pre(!Buffer.from(aad).equals(other));
        const ciphertext = seal(material, locator, plaintext, aad);
        expect(opened(ciphertext, other)).toBeUndefined();
        expect(opened(ciphertext, aad, newMaterial())).toBeUndefined();
      }),
      runs,
    );
  });

  it('is never the same twice', () => {
    const all = Array.from({ length: 100 }, () => seal(material, locator, Buffer.from('x'), Buffer.alloc(0)));
    expect(new Set(all.map((one) => one.toString('hex'))).size).toBe(100);
  });

  it('has one spelling: a length in more bytes than needed is refused', () => {
    const ciphertext = seal(material, locator, Buffer.from('x'), Buffer.alloc(0));
    const length = ciphertext[39] ?? 0;
    const longer = Buffer.concat([
      ciphertext.subarray(0, 39),
      Buffer.of(length | 0x80, 0),
      ciphertext.subarray(40),
    ]);
    expect(parseCiphertext(ciphertext)).toBeDefined();
    expect(parseCiphertext(longer)).toBeUndefined();
  });
});

describe('CRC-32C', () => {
  it.each([
    // RFC 3720, appendix B.4
    [Buffer.alloc(32), 0x8a9136aa],
    [Buffer.alloc(32, 0xff), 0x62a8ab43],
    [Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
    [Buffer.from('123456789'), 0xe3069283],
    [Buffer.alloc(0), 0],
  ])('of published inputs is what was published', (input, expected) => {
    expect(crc32c(input)).toBe(expected);
  });
});
