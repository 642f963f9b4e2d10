import { KmsCodecError, type ReasonCode } from '../errors.ts';
import type { KeyService, UnwrapRequest, Wrapped, WrapRequest } from './key-service.ts';
import { FAILURE_COUNTS_MS } from './key-version-access.ts';

type KeyCalls = Pick<KeyService, 'wrap' | 'unwrap'>;

/** The outcomes of the calls for one crypto key. */
interface Calls {
  /** The start time of the latest call to which Cloud KMS responded. */
  answered: number;
  /** Why the latest call failed, unless Cloud KMS has responded since. */
  failure: ReasonCode | undefined;
  failureCountsUntil: number;
}

/**
 * Wraps and unwraps keys, and remembers for which crypto keys Cloud KMS does not respond. Without this class, a
 * process would not notice an outage that affects no key in its memory, for example if the process only reads
 * or has just started. A refusal counts as a response. The configuration names the crypto keys, so there are
 * only a few.
 */
export class WatchedKeyService implements KeyCalls {
  readonly #keyService: KeyCalls;
  readonly #now: () => number;
  readonly #calls = new Map<string, Calls>();

  constructor(keyService: KeyCalls, now: () => number) {
    this.#keyService = keyService;
    this.#now = now;
  }

  wrap(request: WrapRequest): Promise<Wrapped> {
    return this.#watch(request.key, this.#keyService.wrap(request));
  }

  unwrap(request: UnwrapRequest): Promise<Uint8Array> {
    return this.#watch(request.key, this.#keyService.unwrap(request));
  }

  /**
   * Returns why the last call for any of the crypto keys failed. Returns undefined if Cloud KMS has responded
   * since. Also returns undefined a minute after the failure, because the state is unknown if there are no
   * calls.
   */
  failure(keys: readonly string[]): ReasonCode | undefined {
    const now = this.#now();
    const failing = keys.map((key) => this.#calls.get(key)).find((calls) => isFailing(calls, now));
    return failing?.failure;
  }

  async #watch<T>(key: string, call: Promise<T>): Promise<T> {
    const began = this.#now();
    try {
      const result = await call;
      this.#answered(key, began);
      return result;
    } catch (error) {
      if (error instanceof KmsCodecError) {
        if (error.retryable) this.#failed(key, began, error.code);
        else this.#answered(key, began);
      }
      throw error;
    }
  }

  #answered(key: string, began: number): void {
    const answered = Math.max(began, this.#calls.get(key)?.answered ?? began);
    this.#calls.set(key, { answered, failure: undefined, failureCountsUntil: 0 });
  }

  #failed(key: string, began: number, failure: ReasonCode): void {
    const answered = this.#calls.get(key)?.answered ?? Number.NEGATIVE_INFINITY;
    if (began < answered) return;
    this.#calls.set(key, { answered, failure, failureCountsUntil: this.#now() + FAILURE_COUNTS_MS });
  }
}

const isFailing = (calls: Calls | undefined, now: number): boolean =>
  calls?.failure !== undefined && now < calls.failureCountsUntil;
