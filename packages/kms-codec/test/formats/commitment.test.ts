import { createCipheriv, createDecipheriv } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { asPlaintext } from '../../src/crypto/plaintext.ts';
import { deserialize } from '../../src/formats/payload-reader.ts';
import { KmsCodec, KeyRules } from '../../src/index.ts';
import { VectorKeyService } from '../support/vector-key-service.ts';
import {
  branchKey,
  branchKeyAad,
  commitmentTo,
  derived,
  headerV2,
  key,
  namespaceTag,
  storedV2,
  type TestKey,
  unwraps,
} from '@temporal-kms/vectors/message';

/*
 * AES-GCM does not commit to its key: anyone who knows two keys can construct one nonce, ciphertext and tag
 * that decrypt under both ("How to abuse and fix authenticated encryption without key commitment",
 * https://eprint.iacr.org/2020/1456). Without a commitment, two readers with different branch keys would read
 * different payloads from one message.
 */

const NAMESPACE = 'payments';
const KEY = key('payments');
const tag = namespaceTag(NAMESPACE);
const first = branchKey('first');
/** A second branch key with the same wrapped bytes, as if a different Cloud KMS had unwrapped the bytes. */
const second: TestKey = { ...branchKey('second'), wrapped: first.wrapped };

const toInt = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
const toBytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(32, '0'), 'hex');
const xor = (a: Uint8Array, b: Uint8Array): Buffer => Buffer.from(a.map((byte, n) => byte ^ (b[n] ?? 0)));

/** Multiplies in the field of GHASH (NIST SP 800-38D, section 6.3). */
function multiply(x: bigint, y: bigint): bigint {
  let product = 0n;
  let shifted = y;
  for (let bit = 127n; bit >= 0n; bit -= 1n) {
    if ((x >> bit) & 1n) product ^= shifted;
    shifted = shifted & 1n ? (shifted >> 1n) ^ (0xe1n << 120n) : shifted >> 1n;
  }
  return product;
}

/** Returns the inverse of an element, by raising the element to the power of 2^128 - 2. */
function inverse(x: bigint): bigint {
  let [result, square] = [1n << 127n, x];
  for (let n = 1; n < 128; n += 1) {
    square = multiply(square, square);
    result = multiply(result, square);
  }
  return result;
}

function ghash(hashKey: bigint, aad: Uint8Array, ciphertext: Uint8Array): bigint {
  const lengths = Buffer.alloc(16);
  lengths.writeBigUInt64BE(BigInt(aad.length * 8));
  lengths.writeBigUInt64BE(BigInt(ciphertext.length * 8), 8);
  let hash = 0n;
  for (const part of [aad, ciphertext, lengths]) {
    for (let at = 0; at < part.length; at += 16) {
      const block = Buffer.alloc(16);
      block.set(part.subarray(at, at + 16));
      hash = multiply(hash ^ toInt(block), hashKey);
    }
  }
  return hash;
}

const aes = (secret: Uint8Array, blocks: Uint8Array): Buffer =>
  createCipheriv('aes-256-ecb', secret, null).setAutoPadding(false).update(blocks);

const hashKey = (secret: Uint8Array): bigint => toInt(aes(secret, Buffer.alloc(16)));

const counterBlock = (nonce: Uint8Array, counter: number): Buffer =>
  Buffer.concat([nonce, Buffer.of(0, 0, 0, counter)]);

/**
 * Returns a nonce with which the key streams of both keys begin with the same two bytes. One nonce in 2^16
 * has this property.
 */
function nonceFor(keys: readonly [Uint8Array, Uint8Array]): Buffer {
  const batch = 2 ** 16;
  for (let from = 0; ; from += batch) {
    const blocks = Buffer.alloc(16 * batch);
    for (let n = 0; n < batch; n += 1) blocks.writeBigUInt64BE((BigInt(from + n) << 32n) | 2n, 16 * n + 8);
    const [one, other] = [aes(keys[0], blocks), aes(keys[1], blocks)];
    for (let at = 0; at < blocks.length; at += 16) {
      if (one.readUInt16BE(at) === other.readUInt16BE(at)) return blocks.subarray(at, at + 12);
    }
  }
}

/** The protobuf tag of field 2, `data`, followed by its length, 46 bytes. */
const DATA = Buffer.of(0x12, 46);
const PLAINTEXTS = ['pay 1 to Alice', 'pay 1000 to Bob!'] as const;

/**
 * Returns `nonce ‖ ciphertext ‖ tag` that decrypts under two keys. The first of the three blocks contains the
 * first payload's text, and the second block contains the other payload's text. The third block is computed
 * so that both keys give the same tag.
 */
function boxFor(keys: readonly [Uint8Array, Uint8Array], aad: Uint8Array): Buffer {
  const nonce = nonceFor(keys);
  const stream = (secret: Uint8Array, n: number) => aes(secret, counterBlock(nonce, 2 + n));
  const ciphertext = Buffer.concat([
    xor(Buffer.concat([DATA, Buffer.from(PLAINTEXTS[0])]), stream(keys[0], 0)),
    xor(Buffer.from(PLAINTEXTS[1]), stream(keys[1], 1)),
    Buffer.alloc(16),
  ]);
  const tagUnder = (secret: Uint8Array) =>
    ghash(hashKey(secret), aad, ciphertext) ^ toInt(aes(secret, counterBlock(nonce, 1)));
  const difference = tagUnder(keys[0]) ^ tagUnder(keys[1]);
  const squares = keys.map((secret) => multiply(hashKey(secret), hashKey(secret)));
  const weight = squares.reduce((one, other) => one ^ other);
  ciphertext.set(toBytes(multiply(difference, inverse(weight))), 32);
  return Buffer.concat([nonce, ciphertext, toBytes(tagUnder(keys[0]))]);
}

function decryptWith(secret: Uint8Array, aad: Uint8Array, box: Uint8Array): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', secret, box.subarray(0, 12), { authTagLength: 16 });
  decipher.setAAD(aad).setAuthTag(box.subarray(-16));
  return Buffer.concat([decipher.update(box.subarray(12, -16)), decipher.final()]);
}

const readerWith = (branch: TestKey) =>
  new KmsCodec({
    rules: new KeyRules({ [NAMESPACE]: { encrypt: KEY } }),
    keyService: new VectorKeyService([unwraps(KEY, branchKeyAad(tag), branch)]),
    namespace: NAMESPACE,
  });

// [E-15]
describe('a message that authenticates under two branch keys', () => {
  it.each([
    ['the first', commitmentTo(first, tag), [true, false]],
    ['the second', commitmentTo(second, tag), [false, true]],
    ['neither', Buffer.alloc(16), [false, false]],
  ] as const)(
    'decrypts only under the key to which the message is committed: %s',
    async (_, commitment, decrypts) => {
      const keys = [derived(first, tag), derived(second, tag)] as const;
      const header = headerV2({ cryptoKey: KEY, namespace: NAMESPACE, branch: first, commitment });
      const box = boxFor(keys, header);
      // Without the commitment, both readers would accept the message and read different payloads.
      const payloads = keys.map((secret) => deserialize(asPlaintext(decryptWith(secret, header, box))));
      const texts = payloads.map(({ data }) => Buffer.from(data ?? []).toString('latin1'));
      expect(texts[0]).toContain(PLAINTEXTS[0]);
      expect(texts[1]).toContain(PLAINTEXTS[1]);

      const message = storedV2(Buffer.concat([header, box]));
      for (const [n, branch] of [first, second].entries()) {
        const decoded = readerWith(branch).decode([message]);
        await (decrypts[n]
          ? expect(decoded).resolves.toMatchObject([{ data: payloads[n]?.data }])
          : expect(decoded).rejects.toMatchObject({ code: 'integrity_failed' }));
      }
    },
  );
});
