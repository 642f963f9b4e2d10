import {
  type KeyDescription,
  type KeyService,
  KmsCodecError,
  type ReasonCode,
  type UnwrapRequest,
  type Wrapped,
  type WrapRequest,
} from '@temporal-kms/kms-codec';

/** Bytes that a wrapped key has more than the key. */
const OVERHEAD = 28;

/** Cloud KMS in memory, which encrypts nothing. It delays its answers and fails on demand. */
export class FakeKeyService implements KeyService {
  /** Every call fails with this code while it is set. */
  failing: ReasonCode | undefined;
  latencyMs = 0;

  async wrap({ key, plaintext }: WrapRequest): Promise<Wrapped> {
    // The codec may overwrite the data key before the answer.
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
