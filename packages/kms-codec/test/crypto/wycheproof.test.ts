import { createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { KmsCodecError } from '../../src/errors.ts';
import { importKey } from '../../src/crypto/data-key.ts';
import { decrypt, encrypt } from '../../src/crypto/aead.ts';

const hex = z.string().transform((text) => Buffer.from(text, 'hex'));
const file = z.object({
  vectors: z.array(
    z.object({
      tcId: z.number(),
      key: hex,
      iv: hex,
      aad: hex,
      msg: hex,
      ct: hex,
      tag: hex,
      result: z.enum(['valid', 'invalid']),
    }),
  ),
});
const path = new URL('wycheproof-aes-gcm.json', import.meta.url);
const { vectors } = file.parse(JSON.parse(readFileSync(path, 'utf8')));
const ofOurKeys = vectors.filter(({ key }) => key.length === 32);

describe('AES-256-GCM with a 96-bit nonce and a 128-bit tag, as in every format', () => {
  const inScope = ofOurKeys.filter(({ iv }) => iv.length === 12);

  it('has both valid and invalid vectors', () => {
    expect(inScope.filter(({ result }) => result === 'valid').length).toBeGreaterThan(30);
    expect(inScope.filter(({ result }) => result === 'invalid').length).toBeGreaterThan(20);
  });

  it.each(inScope)('agrees with Wycheproof $tcId: $result', ({ key, iv, aad, msg, ct, tag, result }) => {
    const message = Buffer.concat([iv, ct, tag]);
    if (result === 'valid') {
      expect(Buffer.from(decrypt(createSecretKey(key), aad, message))).toEqual(msg);
      const encrypted = encrypt(createSecretKey(key), aad, [msg]);
      const again = decrypt(createSecretKey(key), aad, encrypted, aad.length);
      expect(Buffer.from(again)).toEqual(msg);
    } else {
      expect(() => decrypt(createSecretKey(key), aad, message)).toThrow(
        expect.objectContaining({ code: 'integrity_failed' }),
      );
    }
  });
});

describe('a parameter that no format uses', () => {
  it('is rejected: a nonce whose length is not 12 bytes', () => {
    const others = ofOurKeys.filter(({ iv }) => iv.length !== 12);
    expect(others.length).toBeGreaterThan(30);
    for (const { key, iv, aad, ct, tag } of others) {
      const read = () => decrypt(createSecretKey(key), aad, Buffer.concat([iv, ct, tag]));
      expect(read).toThrow(KmsCodecError);
    }
  });

  it('is rejected: a data key of 128 or 192 bits', () => {
    const others = vectors.filter(({ key }) => key.length !== 32);
    expect(new Set(others.map(({ key }) => key.length))).toEqual(new Set([16, 24]));
    for (const { key } of others) {
      expect(() => importKey(key)).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
  });
});
