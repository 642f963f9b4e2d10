import {
  type KeyDescription,
  type KeyService,
  KmsCodecError,
  type ReasonCode,
  type UnwrapRequest,
  type Wrapped,
  type WrapRequest,
} from '@temporal-kms/kms-codec';

/** Number of bytes by which a wrapped key is longer than the key. */
const OVERHEAD = 28;

/** A simulated Cloud KMS that does not encrypt, and that delays or fails calls on demand. */
export class FakeKeyService implements KeyService {
  /** While this is set, every call fails with this code. */
  failing: ReasonCode | undefined;
  latencyMs = 0;

  async wrap({ key, plaintext }: WrapRequest): Promise<Wrapped> {
    // Copies the data key, because the codec may overwrite it before this call ends.
    const ciphertext = Buffer.concat([Buffer.alloc(OVERHEAD), plaintext]);
    await this.#answer(key);
    return { ciphertext, keyVersion: 1, protectionLevel: 'SOFTWARE' };
  }

  async unwrap({ key, ciphertext }: UnwrapRequest): Promise<Uint8Array> {
    await this.#answer(key);
    return Buffer.from(ciphertext.subarray(OVERHEAD));
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

  async #answer(key: string): Promise<void> {
    if (this.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, this.latencyMs));
    if (this.failing) throw new KmsCodecError(this.failing, 'failed on demand', { key });
  }
}
