import { KmsCodecError, type ReasonCode } from '../../src/errors.ts';
import { InMemoryKeyService } from '../../src/keys/in-memory-key-service.ts';
import type { UnwrapRequest, Wrapped, WrapRequest } from '../../src/keys/key-service.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/**
 * A simulated Cloud KMS in memory, for fast tests of timing and concurrency. The simulation counts calls, and
 * delays or fails them on demand. Tests of Google's client use the emulator instead.
 */
export class FakeKeyService extends InMemoryKeyService {
  wraps = 0;
  unwraps = 0;
  /** Number of wrap and unwrap calls that have ended. */
  answered = 0;
  /** The crypto key names of all calls. */
  readonly asked = new Set<string>();
  /** While this is set, the calls that `affected` selects fail with this code. */
  failing: ReasonCode | undefined;
  /** Which calls fail while `failing` is set. By default, both kinds of calls fail. */
  affected: 'wrap' | 'unwrap' | undefined;
  latencyMs = 0;
  version = 1;
  /** If set, the version that `wrap` reports instead of the real version. */
  named: number | undefined;
  /** The versions under which no key can be unwrapped. */
  readonly disabled = new Set<number>();
  readonly #versions = new Map<string, number>();
  /** The responses wait for this promise while it is set. */
  #released: Promise<void> | undefined;

  /** Holds back the responses of the calls that begin from now on. @returns a function that releases these responses */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#released = promise;
    return () => {
      this.#released = undefined;
      resolve();
    };
  }

  override async wrap(request: WrapRequest): Promise<Wrapped> {
    this.wraps += 1;
    // Copies the data key, because the codec may overwrite it before this call ends.
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
    if (this.#released) await this.#released;
    if (this.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, this.latencyMs));
    this.answered += 1;
    if (this.failing && (this.affected ?? call) === call)
      throw new KmsCodecError(this.failing, 'failed on demand', { key });
  }
}
