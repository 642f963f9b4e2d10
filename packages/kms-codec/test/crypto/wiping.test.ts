import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decrypt, encrypt } from '../../src/crypto/aead.ts';
import { importKey } from '../../src/crypto/data-key.ts';
import type { UnwrapRequest, WrapRequest } from '../../src/keys/key-service.ts';
import { codecWith, cryptoKey, json } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';

const key = createSecretKey(randomBytes(32));
const plaintext = randomBytes(600_000);
const message = () => Buffer.from(encrypt(key, new Uint8Array(), [plaintext]));

describe('decrypt in place', () => {
  it('replaces the ciphertext with the plaintext', () => {
    const data = message();
    expect(Buffer.from(decrypt(key, undefined, data, 0, true)).equals(plaintext)).toBe(true);
    expect(data.subarray(12, -16).equals(plaintext)).toBe(true);
  });

  it('replaces the ciphertext with zeros if the tag is wrong', () => {
    const data = message();
    data[data.length - 1]! ^= 1;
    expect(() => decrypt(key, undefined, data, 0, true)).toThrow('Authentication failed');
    expect(data.subarray(12, -16).every((byte) => byte === 0)).toBe(true);
  });
});

it('decrypt does not change the message by default, even if the tag is wrong', () => {
  const data = message();
  data[data.length - 1]! ^= 1;
  const before = Buffer.from(data);
  expect(() => decrypt(key, undefined, data)).toThrow('Authentication failed');
  expect(data.equals(before)).toBe(true);
});

it.each([32, 31])('importKey wipes %d bytes, even if they are not a key', (length) => {
  const bytes = randomBytes(length);
  try {
    importKey(bytes);
  } catch {
    expect(length).toBe(31);
  }
  expect([...bytes]).toEqual(Array(length).fill(0));
});

/** A key service that keeps the plaintexts that it receives and returns. */
class Keeping extends FakeKeyService {
  readonly plaintexts: Uint8Array[] = [];

  override wrap(request: WrapRequest) {
    this.plaintexts.push(request.plaintext);
    return super.wrap(request);
  }

  override async unwrap(request: UnwrapRequest) {
    const unwrapped = await super.unwrap(request);
    this.plaintexts.push(unwrapped);
    return unwrapped;
  }
}

it.each(['envelope-v2', 'envelope'] as const)(
  'a process wipes a new key if Cloud KMS refuses to wrap it (%s)',
  async (format) => {
    const keyService = new Keeping();
    keyService.failing = 'key_disabled';
    const { codec } = codecWith({}, { default: { encrypt: cryptoKey('k') }, format, keyService });
    await codec.encode([json('x')]).catch(() => undefined);
    expect(keyService.plaintexts).toHaveLength(1);
    expect(keyService.plaintexts[0]!.every((byte) => byte === 0)).toBe(true);
  },
);

describe('the format direct', () => {
  const kmsKey = cryptoKey('k');

  function setUp() {
    const keyService = new Keeping();
    const rule = { encrypt: kmsKey, reads: ['direct'] } as const;
    const { codec } = codecWith({}, { default: rule, format: 'direct', keyService });
    return { codec, keyService };
  }

  it.each([
    ['a ciphertext', undefined],
    ['an error', 'key_disabled'],
  ] as const)('wipes the plaintext after Cloud KMS has returned %s', async (_, failing) => {
    const { codec, keyService } = setUp();
    keyService.failing = failing;
    await codec.encode([json('a secret')]).catch(() => undefined);
    expect(keyService.plaintexts).toHaveLength(1);
    expect(keyService.plaintexts[0]!.every((byte) => byte === 0)).toBe(true);
  });

  it('wipes a plaintext that Cloud KMS returns if the plaintext may be a data key', async () => {
    const { codec, keyService } = setUp();
    const dataKey = Buffer.alloc(32, 7);
    // A payload with only data, whose serialized form has 32 bytes.
    dataKey.set([0x12, 30]);
    const aad = new Uint8Array();
    const { ciphertext } = await keyService.wrap({ key: kmsKey, plaintext: dataKey, aad });
    const stored = { metadata: { encoding: Buffer.from('binary/gcp-kms') }, data: ciphertext };
    await expect(codec.decode([stored])).rejects.toMatchObject({ code: 'malformed' });
    expect([...keyService.plaintexts[1]!]).toEqual(Array(32).fill(0));
  });
});
