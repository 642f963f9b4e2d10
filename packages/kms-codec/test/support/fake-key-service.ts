import { KmsCodecError, type ReasonCode } from '../../src/errors.ts';
import { InMemoryKeyService } from '../../src/keys/in-memory-key-service.ts';
import type { UnwrapRequest, Wrapped, WrapRequest } from '../../src/keys/key-service.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/**
 * Cloud KMS in memory, for fast tests of time and concurrency. It counts its calls, delays them and fails on demand. The
 * tests of Google's client use the emulator instead.
 */
export class FakeKeyService extends InMemoryKeyService {
  wraps = 0;
  unwraps = 0;
  /** The calls of both kinds that have been answered. */
  answered = 0;
  /** The name of every crypto key of a call. */
  readonly asked = new Set<string>();
  /** Every call fails with this code while it is set. */
  failing: ReasonCode | undefined;
  /** Which calls fail. Default: both. */
  affected: 'wrap' | 'unwrap' | undefined;
  latencyMs = 0;
  version = 1;
  /** The version that a wrap names, if it is not the one that wraps. */
  named: number | undefined;
  /** The versions under which nothing can be unwrapped. */
  readonly disabled = new Set<number>();
  readonly #versions = new Map<string, number>();

  override async wrap(request: WrapRequest): Promise<Wrapped> {
    this.wraps += 1;
    // The codec may overwrite the data key before the answer.
    const plaintext = Buffer.from(request.plaintext);
    await this.#answer(request.key, 'wrap');
    const wrapped = await super.wrap({ ...request, plaintext });
    this.#versions.set(hex(wrapped.ciphertext), this.version);
    return { ...wrapped, keyVersion: this.named ?? this.version };
  }

  override async unwrap(request: UnwrapRequest): Promise<Uint8Array> {
    this.unwraps += 1;
    await this.#answer(request.key, 'unwrap');
    const keyVersion = this.#versions.get(hex(request.ciphertext));
    if (keyVersion === undefined || !this.disabled.has(keyVersion)) return await super.unwrap(request);
    throw new KmsCodecError('key_disabled', 'disabled on demand', { key: request.key, keyVersion });
  }

  async #answer(key: string, call: 'wrap' | 'unwrap'): Promise<void> {
    this.asked.add(key);
    if (this.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, this.latencyMs));
    this.answered += 1;
    if (this.failing && (this.affected ?? call) === call)
      throw new KmsCodecError(this.failing, 'failed on demand', { key });
  }
}
