import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { KmsCodecError, type ReasonCode } from '../../src/errors.ts';
import type {
  KeyDescription,
  KeyService,
  UnwrapRequest,
  Wrapped,
  WrapRequest,
} from '../../src/keys/key-service.ts';

/**
 * Cloud KMS in memory, for fast tests of time and concurrency. It checks key and additional authenticated data, counts its
 * calls and fails on demand. The tests of Google's client use the emulator instead.
 */
export class FakeKeyService implements KeyService {
  readonly #keys = new Map<string, Buffer>();
  wraps = 0;
  unwraps = 0;
  /** The calls of both kinds that have been answered. */
  answered = 0;
  /** The name of every crypto key of a call. */
  readonly asked = new Set<string>();
  /** Every call fails with this code while it is set. */
  failing: ReasonCode | undefined;
  latencyMs = 0;
  version = 1;

  async wrap({ key, plaintext, aad }: WrapRequest): Promise<Wrapped> {
    this.wraps += 1;
    const copy = Buffer.from(plaintext);
    await this.#answer(key);
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#key(key), nonce).setAAD(aad);
    const ciphertext = Buffer.concat([nonce, cipher.update(copy), cipher.final(), cipher.getAuthTag()]);
    return { ciphertext, keyVersion: this.version, protectionLevel: 'SOFTWARE' };
  }

  async unwrap({ key, ciphertext, aad }: UnwrapRequest): Promise<Uint8Array> {
    this.unwraps += 1;
    await this.#answer(key);
    const decipher = createDecipheriv('aes-256-gcm', this.#key(key), ciphertext.subarray(0, 12)).setAAD(aad);
    decipher.setAuthTag(ciphertext.subarray(-16));
    try {
      return Buffer.concat([decipher.update(ciphertext.subarray(12, -16)), decipher.final()]);
    } catch {
      throw new KmsCodecError('integrity_failed', 'rejected by the fake key service', { key });
    }
  }

  describe(key: string): Promise<KeyDescription> {
    throw new Error(`These tests do not describe keys: ${key}`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #key(name: string): Buffer {
    const key = this.#keys.get(name) ?? randomBytes(32);
    this.#keys.set(name, key);
    return key;
  }

  async #answer(key: string): Promise<void> {
    this.asked.add(key);
    if (this.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, this.latencyMs));
    this.answered += 1;
    if (this.failing) throw new KmsCodecError(this.failing, 'failed on demand', { key });
  }
}
