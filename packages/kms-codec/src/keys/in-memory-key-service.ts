import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { KmsCodecError } from '../errors.ts';
import type { KeyDescription, KeyService, UnwrapRequest, Wrapped, WrapRequest } from './key-service.ts';

/**
 * A key service for tests. The service wraps and unwraps like Cloud KMS, with AES-256-GCM under a key in
 * memory. The crypto key's name and the request's additional authenticated data are authenticated.
 */
export class InMemoryKeyService implements KeyService {
  readonly #wrappingKey: Uint8Array;

  /** @param wrappingKey 32 bytes; services with the same key unwrap each other's keys */
  constructor(wrappingKey: Uint8Array = randomBytes(32)) {
    this.#wrappingKey = wrappingKey;
  }

  async wrap({ key, plaintext, aad }: WrapRequest): Promise<Wrapped> {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#wrappingKey, nonce).setAAD(boundTo(key, aad));
    const ciphertext = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    return { ciphertext, keyVersion: 1, protectionLevel: 'SOFTWARE' };
  }

  async unwrap({ key, ciphertext, aad }: UnwrapRequest): Promise<Uint8Array> {
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#wrappingKey, ciphertext.subarray(0, 12));
      decipher.setAAD(boundTo(key, aad)).setAuthTag(ciphertext.subarray(-16));
      return Buffer.concat([decipher.update(ciphertext.subarray(12, -16)), decipher.final()]);
    } catch (cause) {
      throw new KmsCodecError(
        'integrity_failed',
        'The test codec could not unwrap the message’s key: another process wrapped the key, or the message was modified',
        { key, cause },
      );
    }
  }

  async describe(key: string): Promise<KeyDescription> {
    return {
      key,
      primary: 1,
      protectionLevel: 'SOFTWARE',
      rotationPeriodSeconds: undefined,
      nextRotation: undefined,
      versions: [{ version: 1, state: 'ENABLED', created: undefined, destroyTime: undefined }],
    };
  }

  async close(): Promise<void> {
    // Nothing to release.
  }
}

const boundTo = (key: string, aad: Uint8Array): Buffer => Buffer.concat([Buffer.from(`${key}\0`), aad]);
