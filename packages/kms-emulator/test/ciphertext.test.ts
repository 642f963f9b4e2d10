import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decryptBytes,
  encryptBytes,
  newLocator,
  newMaterial,
  parseCiphertext,
} from '../src/crypto/ciphertext.ts';
import { crc32c } from '../src/crypto/crc32c.ts';

const material = newMaterial();
const locator = newLocator(7);
const runs = { numRuns: process.env['SLOW'] === '1' ? 10_000 : 500 };
const data = (max: number) => fc.uint8Array({ maxLength: max });

function decrypted(ciphertext: Uint8Array, aad: Uint8Array, key = material): Buffer | undefined {
  const parsed = parseCiphertext(ciphertext);
  return parsed === undefined || !parsed.locator.equals(locator) ? undefined : decryptBytes(key, parsed, aad);
}

describe('a ciphertext', () => {
  it('decrypts to the plaintext with the same additional data', () => {
    fc.assert(
      fc.property(data(70_000), data(200), (plaintext, aad) => {
        expect(decrypted(encryptBytes(material, locator, plaintext, aad), aad)).toEqual(
          Buffer.from(plaintext),
        );
      }),
      { numRuns: 100 },
    );
  });

  it('has 113 bytes for 32 bytes of plaintext, as in Cloud KMS, and is always 81 to 83 bytes longer than its plaintext', () => {
    const sizes = [0, 32, 86, 87, 1024, 16_342, 16_343, 65_536];
    const overhead = sizes.map(
      (size) => encryptBytes(material, locator, new Uint8Array(size), new Uint8Array()).length - size,
    );
    expect(overhead).toEqual([81, 81, 81, 82, 82, 82, 83, 83]);
  });

  it('contains the locator of its version', () => {
    const { locator: found } =
      parseCiphertext(encryptBytes(material, locator, Buffer.from('x'), Buffer.alloc(0))) ?? {};
    expect(found).toEqual(locator);
    expect(found?.readUInt32BE(31)).toBe(7);
  });

  it('cannot be decrypted if any bit is flipped', () => {
    fc.assert(
      fc.property(data(300), data(50), fc.nat(), fc.nat(7), (plaintext, aad, position, bit) => {
        const ciphertext = encryptBytes(material, locator, plaintext, aad);
        const index = position % ciphertext.length;
        ciphertext[index] = (ciphertext[index] ?? 0) ^ (1 << bit);
        expect(decrypted(ciphertext, aad)).toBeUndefined();
      }),
      runs,
    );
  });

  it('cannot be decrypted if it is truncated, extended or made of arbitrary bytes', () => {
    fc.assert(
      fc.property(data(300), fc.nat(), data(10), data(500), (plaintext, at, more, garbage) => {
        const aad = new Uint8Array();
        const ciphertext = encryptBytes(material, locator, plaintext, aad);
        expect(decrypted(ciphertext.subarray(0, at % ciphertext.length), aad)).toBeUndefined();
        expect(decrypted(Buffer.concat([ciphertext, Buffer.of(0), more]), aad)).toBeUndefined();
        expect(decrypted(garbage, aad)).toBeUndefined();
      }),
      runs,
    );
  });

  it('cannot be decrypted with another key or other additional data', () => {
    fc.assert(
      fc.property(data(100), data(50), data(50), (plaintext, aad, other) => {
        fc.pre(!Buffer.from(aad).equals(other));
        const ciphertext = encryptBytes(material, locator, plaintext, aad);
        expect(decrypted(ciphertext, other)).toBeUndefined();
        expect(decrypted(ciphertext, aad, newMaterial())).toBeUndefined();
      }),
      runs,
    );
  });

  it('differs for equal plaintexts', () => {
    const all = Array.from({ length: 100 }, () =>
      encryptBytes(material, locator, Buffer.from('x'), Buffer.alloc(0)),
    );
    expect(new Set(all.map((one) => one.toString('hex'))).size).toBe(100);
  });

  it('has only one encoding, so a length that uses more bytes than necessary is refused', () => {
    const ciphertext = encryptBytes(material, locator, Buffer.from('x'), Buffer.alloc(0));
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
    // The first three pairs are from RFC 3720, appendix B.4.
    [Buffer.alloc(32), 0x8a9136aa],
    [Buffer.alloc(32, 0xff), 0x62a8ab43],
    [Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
    [Buffer.from('123456789'), 0xe3069283],
    [Buffer.alloc(0), 0],
  ])('has the published value for published inputs', (input, expected) => {
    expect(crc32c(input)).toBe(expected);
  });
});
