import { createSecretKey, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  deriveDataKey,
  type Derivation,
  derivation,
  generateSalt,
  knownDataKey,
  withDataKey,
} from '../../src/branch-keys/branch-key.ts';
import { OVERHEAD_BYTES } from '../../src/crypto/aead.ts';
import { parseHeader } from '../../src/formats/envelope-v2-header.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json, valueOf } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';

/* The format envelope-v2 derives its data keys from a salt and a branch key that Cloud KMS wraps. */

const hour = 3_600_000;
const rule = { pay: { encrypt: cryptoKey('pay') } };
const context = inNamespace('pay');

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const headerOf = ({ data }: Payload) => parseHeader(data!).header;
const saltOf = (message: Payload) => hex(headerOf(message).salt);
const branchOf = (message: Payload) => hex(headerOf(message).wrappedKey);

/** Returns the number of messages under each data key. */
function countByDataKey(messages: readonly Payload[]): number[] {
  const counts = new Map<string, number>();
  for (const message of messages) {
    const id = saltOf(message) + branchOf(message);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [...counts.values()];
}

/** Returns messages under the same branch key, each with a different salt. */
async function encryptApart(count: number, keyService: FakeKeyService): Promise<Payload[]> {
  const { codec } = codecWith(rule, { keyService, limits: { softMessages: 1 } });
  const messages = await codec.encode(
    Array.from({ length: count }, (_, n) => json(n)),
    context,
  );
  expect(new Set(messages.map(saltOf)).size).toBe(count);
  expect(new Set(messages.map(branchOf)).size).toBe(1);
  return messages;
}

describe('deriveDataKey', () => {
  // Vectors from https://www.rfc-editor.org/rfc/rfc5869#appendix-A, whose outputs have 42 bytes.
  it.each([
    {
      key: '0b'.repeat(22),
      salt: '000102030405060708090a0b0c',
      info: 'f0f1f2f3f4f5f6f7f8f9',
      derived: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    },
    {
      key: '0b'.repeat(22),
      salt: '',
      info: '',
      derived: '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    },
  ])('returns the key and commitment in RFC 5869’s vectors (salt "$salt")', (vector) => {
    const branchKey = createSecretKey(Buffer.from(vector.key, 'hex'));
    const { salt, info } = vector;
    const derived = deriveDataKey(branchKey, Buffer.from(salt, 'hex'), Buffer.from(info, 'hex'));
    expect([derived.key.symmetricKeySize, derived.commitment.length]).toEqual([32, 16]);
    expect(hex(Buffer.concat([derived.key.export(), derived.commitment])).slice(0, 84)).toBe(vector.derived);
  });
});

const dataKeyOf = (key: KeyObject, of: Derivation) => withDataKey(key, of, (dataKey) => dataKey);

/** Returns the derivation of a message that is committed to its data key. */
const committed = (key: KeyObject, salt: Uint8Array, info: Uint8Array) =>
  derivation(salt, deriveDataKey(key, salt, info).commitment, info);

const isNotUsed = () => expect.unreachable('A key was used before the commitment was compared');

describe('withDataKey', () => {
  const branchKey = createSecretKey(Buffer.alloc(32, 1));
  const info = Buffer.from('info');

  it('passes the key that deriveDataKey returns for the salt, info and branch key to its callback', () => {
    const other = createSecretKey(Buffer.alloc(32, 2));
    const salts = Array.from({ length: 200 }, generateSalt);
    for (const salt of [...salts, ...salts]) {
      for (const key of [branchKey, other]) {
        for (const each of [info, Buffer.from('other')]) {
          const used = dataKeyOf(key, committed(key, salt, each));
          expect(used.equals(deriveDataKey(key, salt, each).key)).toBe(true);
        }
      }
    }
  });

  it('refuses a message that is committed to another data key, even after a genuine message with the same salt', () => {
    const fresh = createSecretKey(Buffer.alloc(32, 5));
    const salt = generateSalt();
    const genuine = committed(fresh, salt, info);
    const others = [
      committed(branchKey, salt, info).commitment,
      ...Array.from({ length: 16 }, (_, at) =>
        genuine.commitment.map((byte, n) => (n === at ? ~byte : byte)),
      ),
    ];
    for (let round = 0; round < 2; round += 1) {
      for (const other of others) {
        expect(() => withDataKey(fresh, derivation(salt, other, info), isNotUsed)).toThrow(
          expect.objectContaining({ code: 'integrity_failed' }),
        );
      }
      expect(dataKeyOf(fresh, genuine)).toBe(dataKeyOf(fresh, genuine));
    }
  });

  it('keeps a limited number of the most recently used keys', () => {
    const fresh = createSecretKey(Buffer.alloc(32, 3));
    const derivations = Array.from({ length: 65 }, () => committed(fresh, generateSalt(), info));
    const keys = derivations.slice(0, 64).map((each) => dataKeyOf(fresh, each));
    expect(dataKeyOf(fresh, derivations[0]!)).toBe(keys[0]);
    // The 65th key evicts the second, because the first was used again.
    dataKeyOf(fresh, derivations[64]!);
    for (const [n, each] of derivations.slice(0, 64).entries())
      if (n !== 1) expect(dataKeyOf(fresh, each)).toBe(keys[n]);
    expect(knownDataKey(fresh, derivations[0]!)).toBe(keys[0]);
    expect(knownDataKey(fresh, derivations[1]!)).toBeUndefined();
    expect(dataKeyOf(fresh, derivations[1]!)).not.toBe(keys[1]);
  });

  it('does not keep a key that decrypted nothing, such as the key for the salt of a forged message', () => {
    const fresh = createSecretKey(Buffer.alloc(32, 4));
    const genuine = committed(fresh, generateSalt(), info);
    const genuineKey = dataKeyOf(fresh, genuine);
    const forged = Array.from({ length: 200 }, () => committed(fresh, generateSalt(), info));
    const forgedKeys: KeyObject[] = [];
    const fail = (key: KeyObject) => {
      forgedKeys.push(key);
      throw new Error('Authentication failed');
    };
    for (const each of forged) expect(() => withDataKey(fresh, each, fail)).toThrow('Authentication failed');
    expect(dataKeyOf(fresh, genuine)).toBe(genuineKey);
    expect(dataKeyOf(fresh, forged.at(-1)!)).not.toBe(forgedKeys.at(-1));
  });
});

// [E-5]
describe('a salt', () => {
  it('is different in each process and under each branch key', async () => {
    const keyService = new FakeKeyService();
    const messages: Payload[] = [];
    for (let n = 0; n < 50; n += 1) {
      const { codec, clock } = codecWith(rule, { keyService });
      messages.push(...(await codec.encode([json(n)], context)));
      clock.time += 25 * hour;
      messages.push(...(await codec.encode([json(n)], context)));
    }
    expect(new Set(messages.map(saltOf)).size).toBe(100);
    expect(new Set(messages.map(branchOf)).size).toBe(100);
  });

  it.each([
    ['messages', { softMessages: 8 }, 8],
    ['bytes', { softBytes: 8 * 5 }, 8],
    ['messages, if only the hard limit was lowered,', { hardMessages: 3 }, 3],
    ['bytes, except for one larger message,', { softBytes: 4 }, 1],
  ])('is never used beyond its limit on %s, even without Cloud KMS', async (_, limits, most) => {
    const { codec, keyService } = codecWith(rule, { limits });
    await codec.warm('pay');
    keyService.failing = 'kms_unavailable';
    const messages: Payload[] = [];
    for (let n = 0; n < 100; n += 1) messages.push(...(await codec.encode([json('abc')], context)));
    messages.push(
      ...(await codec.encode(
        Array.from({ length: 100 }, () => json('abc')),
        context,
      )),
    );
    const counts = countByDataKey(messages);
    expect(Math.max(...counts)).toBe(most);
    expect(counts).toHaveLength(Math.ceil(200 / most));
    expect([keyService.wraps, new Set(messages.map(branchOf)).size]).toEqual([1, 1]);
    expect((await codec.decode(messages, context)).map(valueOf)).toEqual(messages.map(() => 'abc'));
  });
});

describe('decoding messages under one branch key with many salts', () => {
  it('needs only one Cloud KMS call for all salts', async () => {
    const keyService = new FakeKeyService();
    const messages = await encryptApart(200, keyService);
    const { codec } = codecWith(rule, { keyService });
    expect(codec.plan(messages, context).kmsCalls).toBe(1);
    for (let again = 0; again < 3; again += 1) {
      const decoded = await codec.decode(messages, context);
      expect(decoded.map(valueOf)).toEqual(messages.map((_, n) => n));
    }
    expect(keyService.unwraps).toBe(1);
    expect(codec.plan(messages, context).kmsCalls).toBe(0);
  });

  it('reports a truncated message as malformed, even after a genuine message with the same header', async () => {
    const { codec } = codecWith(rule);
    const [message] = await codec.encode([json('')], context);
    await codec.decode([message!], context);
    const shortest = parseHeader(message!.data!).length + OVERHEAD_BYTES;
    for (let length = 0; length < shortest; length += 1) {
      const truncated = { ...message, data: message!.data!.subarray(0, length) };
      expect(codec.inspect(truncated, context).reason).toBe('malformed');
      await expect(codec.decode([truncated], context)).rejects.toMatchObject({ code: 'malformed' });
    }
  });

  it('fails for a changed header, even after a genuine message whose salt starts with the same bytes', async () => {
    const keyService = new FakeKeyService();
    const [message] = await encryptApart(1, keyService);
    const { codec } = codecWith(rule, { keyService });
    const { header, length } = parseHeader(message!.data!);
    const lastOfSalt = header.salt.byteOffset + header.salt.length - 1 - message!.data!.byteOffset;
    await codec.decode([message!], context);
    for (let at = 0; at < length; at += 1) {
      const data = Uint8Array.from(message!.data!);
      data[at]! ^= 1;
      const forged = codec.decode([{ ...message, data }], context);
      await (at === lastOfSalt
        ? expect(forged).rejects.toMatchObject({ code: 'integrity_failed' })
        : expect(forged).rejects.toThrow());
      // The forged message has not replaced the genuine message in the cache.
      expect((await codec.decode([message!], context)).map(valueOf)).toEqual([0]);
    }
  });

  it('needs another Cloud KMS call once the branch key has left the cache', async () => {
    const keyService = new FakeKeyService();
    const messages = await encryptApart(20, keyService);
    const [other] = await encryptApart(1, keyService);
    const { codec, clock } = codecWith(rule, { keyService, limits: { maxDecryptionKeys: 1 } });
    await codec.decode(messages, context);
    await codec.decode([other!], context);
    await codec.decode(messages, context);
    expect(keyService.unwraps).toBe(3);
    clock.time += 6 * 60_000;
    keyService.failing = 'permission_denied';
    for (const message of messages) {
      await expect(codec.decode([message], context)).rejects.toMatchObject({ code: 'permission_denied' });
    }
  });
});

it('wraps a branch key with AAD that names the purpose and the namespace', async () => {
  const keyService = new FakeKeyService();
  const { codec } = codecWith({ pay: rule.pay, ship: rule.pay }, { keyService });
  const [message] = await codec.encode([json('x')], context);
  const { wrappedKey: ciphertext, namespaceTag } = headerOf(message!);
  const key = cryptoKey('pay');
  const aad = (purpose: string) => Buffer.concat([Buffer.from(`temporal-kms/v2/${purpose}\0`), namespaceTag]);
  expect(await keyService.unwrap({ key, ciphertext, aad: aad('branch-key') })).toHaveLength(39);
  for (const purpose of ['dek', 'data-key', 'namespace']) {
    await expect(keyService.unwrap({ key, ciphertext, aad: aad(purpose) })).rejects.toMatchObject({
      code: 'integrity_failed',
    });
  }
});
