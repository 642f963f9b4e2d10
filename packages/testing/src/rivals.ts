import { createCipheriv, createDecipheriv, type KeyObject, randomFillSync, webcrypto } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';

const { Payload: PayloadType } = proto.temporal.api.common.v1;
const encoding = Buffer.from('binary/encrypted');
const keyIdName = Buffer.from('test-key-id');

/**
 * A reimplementation of Temporal's TypeScript encryption sample. The codec uses WebCrypto and AES-256-GCM
 * with a static key, serializes whole payloads, has no additional authenticated data, and processes all
 * payloads of a call concurrently.
 * @see https://github.com/temporalio/samples-typescript/tree/main/encryption
 */
export class SampleCodec implements PayloadCodec {
  readonly #key: webcrypto.CryptoKey;

  constructor(key: webcrypto.CryptoKey) {
    this.#key = key;
  }

  encode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.all(
      payloads.map(async (payload) => {
        const iv = webcrypto.getRandomValues(new Uint8Array(12));
        const plaintext = PayloadType.encode(payload).finish();
        const ciphertext = await webcrypto.subtle.encrypt(
          { name: 'AES-GCM', iv, tagLength: 128 },
          this.#key,
          plaintext,
        );
        const data = new Uint8Array(iv.length + ciphertext.byteLength);
        data.set(iv);
        data.set(new Uint8Array(ciphertext), iv.length);
        return { metadata: { encoding, 'encryption-key-id': keyIdName }, data };
      }),
    );
  }

  decode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.all(
      payloads.map(async (payload) => {
        const data = payload.data ?? new Uint8Array();
        const iv = data.slice(0, 12);
        const plaintext = await webcrypto.subtle.decrypt({ name: 'AES-GCM', iv }, this.#key, data.slice(12));
        return PayloadType.decode(new Uint8Array(plaintext));
      }),
    );
  }
}

/**
 * A codec with the minimum cost. The codec makes one `node:crypto` call for each payload, with a random nonce
 * and without checks.
 */
export class CipherCodec implements PayloadCodec {
  readonly #key: KeyObject;

  constructor(key: KeyObject) {
    this.#key = key;
  }

  encode(payloads: Payload[]): Promise<Payload[]> {
    const encrypted = payloads.map((payload) => ({
      metadata: { encoding },
      data: bareEncrypt(this.#key, noAad, PayloadType.encode(payload).finish()),
    }));
    return Promise.resolve(encrypted);
  }

  decode(payloads: Payload[]): Promise<Payload[]> {
    const decrypted = payloads.map(({ data }) =>
      PayloadType.decode(bareDecrypt(this.#key, noAad, data ?? noAad)),
    );
    return Promise.resolve(decrypted);
  }
}

const noAad = new Uint8Array();

/**
 * The cipher alone, to measure its cost. The function uses `node:crypto` with a cached KeyObject, a nonce,
 * AAD and one contiguous buffer, and does not use protobuf.
 */
export function bareEncrypt(key: KeyObject, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const out = Buffer.allocUnsafeSlow(12 + plaintext.length + 16);
  const nonce = randomFillSync(out.subarray(0, 12));
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
  cipher.setAAD(aad);
  out.set(cipher.update(plaintext), 12);
  cipher.final();
  out.set(cipher.getAuthTag(), out.length - 16);
  return out;
}

export function bareDecrypt(key: KeyObject, aad: Uint8Array, encrypted: Uint8Array): Uint8Array {
  const decipher = createDecipheriv('aes-256-gcm', key, encrypted.subarray(0, 12), { authTagLength: 16 });
  decipher.setAAD(aad);
  decipher.setAuthTag(encrypted.subarray(-16));
  const plaintext = decipher.update(encrypted.subarray(12, -16));
  decipher.final();
  return plaintext;
}
