import { KmsCodecError, type ReasonCode } from '../errors.ts';
import { withResolvers } from '../maybe-promise.ts';
import type { WrappedKey } from '../crypto/wrapped-key.ts';
import type { KeyContext } from './key-context.ts';
import type { WaitBudget } from './wait-budget.ts';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';

/** A wrapped key with which to test whether Cloud KMS still unwraps keys of its version. */
export interface Probe {
  readonly namespace: string;
  readonly wrappedKey: WrappedKey;
  confirmed: number;
}

interface KeyVersionAccessOptions {
  readonly context: KeyContext;
  /** Called when Cloud KMS has unwrapped a key. */
  readonly unwrapped: () => void;
  /**
   * Returns another key of the version, if there is one in memory. Prefers one of this process's own keys,
   * whose version is certain.
   */
  readonly another: (access: KeyVersionAccess, probe: Probe) => Probe | undefined;
  /** Called if Cloud KMS refuses the key version or, if `only` is set, only that probe. */
  readonly refused: (access: KeyVersionAccess, code: ReasonCode, only?: Probe) => void;
}

/**
 * A key version is revalidated after a random share of `revalidateMs` between these values, so that the
 * processes of a fleet do not all call Cloud KMS at the same time.
 */
const EARLIEST = 0.5;
const LATEST = 0.8;

/**
 * Time without a response, in ms, after which Cloud KMS counts as unavailable. A later response still counts.
 */
const SLOW_MS = 1_000;

/**
 * Average time between a failed attempt and the next attempt, in ms. The actual time is random, and at most
 * twice the average.
 */
const RETRY_MS = 10_000;

/**
 * How long Cloud KMS counts as unavailable after a failed attempt, in ms. While a key is in use, the next
 * attempt starts sooner.
 */
export const FAILURE_COUNTS_MS = 60_000;

/**
 * Tracks whether Cloud KMS lets this process use a crypto key version. One response counts for all keys that
 * are wrapped under the version, because Cloud KMS decides by the caller's permissions and the version's
 * state.
 */
export class KeyVersionAccess {
  readonly cryptoKey: string;
  readonly keyVersion: number | undefined;
  readonly #options: KeyVersionAccessOptions;
  #confirmed = 0;
  #revalidateAt = 0;
  #failingUntil = 0;
  #isRefused = false;
  #nextAttempt = 0;
  /** Resolves once the attempt has succeeded, failed or timed out. */
  #attempt: Promise<void> | undefined;

  constructor(
    of: Pick<KeyVersionAccess, 'cryptoKey' | 'keyVersion' | 'confirmed'>,
    options: KeyVersionAccessOptions,
  ) {
    this.cryptoKey = of.cryptoKey;
    this.keyVersion = of.keyVersion;
    this.#options = options;
    this.confirm(of.confirmed);
  }

  /** The start time of the last call in which Cloud KMS unwrapped a key of this version. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** When to call Cloud KMS again, if the key version is in use. */
  get revalidateAt(): number {
    return this.#revalidateAt;
  }

  /**
   * Whether the last attempt got no response from Cloud KMS. Becomes false after a minute without another
   * attempt.
   */
  get isFailing(): boolean {
    return this.#options.context.now() < this.#failingUntil;
  }

  /** Whether Cloud KMS has refused the key version. After a refusal, each key needs a separate call. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Records that Cloud KMS has unwrapped a key under this version, in a call that began at `started`. */
  confirm(started: number): void {
    if (started < this.#confirmed) return;
    const { revalidateMs } = this.#options.context.limits;
    this.#confirmed = started;
    this.#revalidateAt = started + revalidateMs * (EARLIEST + (LATEST - EARLIEST) * Math.random());
    this.#failingUntil = 0;
    this.#nextAttempt = 0;
  }

  /**
   * Calls Cloud KMS to unwrap the probe, unless a call is in flight or has just failed. A successful response
   * confirms the version and the probe.
   */
  revalidate(probe: Probe): void {
    if (this.#attempt !== undefined || this.#isRefused || this.#options.context.now() < this.#nextAttempt)
      return;
    const started = this.#options.context.now();
    const { promise, resolve } = withResolvers<void>();
    const end = (): void => {
      timer.stop();
      if (this.#attempt === promise) this.#attempt = undefined;
      resolve();
    };
    const timer = new WaitTimer(SLOW_MS, () => {
      this.#failed(started);
      end();
    });
    this.#attempt = promise;
    void this.#ask(probe, started).finally(end);
  }

  /** Whether a caller can wait for an attempt in flight. */
  get isAsking(): boolean {
    return this.#attempt !== undefined;
  }

  /** Waits for the attempt in flight, if there is one, for at most one second. */
  async revalidated(waitBudget: WaitBudget): Promise<void> {
    if (this.#attempt === undefined) return;
    const { promise, resolve } = withResolvers<void>();
    const leave = waitBudget.wait(resolve);
    await Promise.race([this.#attempt, promise]);
    leave();
  }

  /**
   * Records that a call that began at `started` has failed or is slow. Ignores the failure or slow call if
   * Cloud KMS has responded to a later call.
   */
  #failed(started: number): void {
    if (started <= this.#confirmed) return;
    const now = this.#options.context.now();
    this.#failingUntil = now + FAILURE_COUNTS_MS;
    this.#nextAttempt = now + 2 * RETRY_MS * Math.random();
  }

  /**
   * Makes Cloud KMS unwrap the probe. Only the probe's message names the version, and any identity that may
   * encrypt can name a wrong version. Therefore, a second key must confirm a refusal before the refusal
   * removes all keys of the version. If Cloud KMS does not respond when it is asked about the second key, or
   * returns an error that names a different version, only the probe is removed. Such a result counts neither
   * as a refusal of the version nor as an outage, and the next use of another key starts a new attempt.
   */
  async #ask(probe: Probe, started: number): Promise<void> {
    const { another, refused, context } = this.#options;
    const error = await this.#unwrap(probe, started);
    if (error === undefined) return this.#report(probe, 'confirmed');
    if (!isRefusal(error)) {
      this.#failed(started);
      return this.#report(probe, 'unavailable', error);
    }
    const second = another(this, probe);
    const secondError = second === undefined ? error : await this.#unwrap(second, context.now());
    if (!this.#isRefusedBy(secondError)) return refused(this, error.code, probe);
    this.#isRefused = true;
    refused(this, error.code);
    this.#report(probe, 'refused', error);
  }

  /**
   * Returns whether a Cloud KMS error refuses this version. An error can concern a different version, if a
   * key's message names a wrong version.
   */
  #isRefusedBy(error: unknown): boolean {
    if (!isRefusal(error)) return false;
    return error.keyVersion === undefined || (this.keyVersion ?? error.keyVersion) === error.keyVersion;
  }

  /** @returns the error of the call, or undefined if Cloud KMS has unwrapped the key */
  async #unwrap(probe: Probe, started: number): Promise<unknown> {
    const { cryptoKey: key, aad, wrapped: ciphertext } = probe.wrappedKey;
    try {
      // Ignores the limit on calls in flight, because the wait for a free slot would look like an outage.
      const bytes = await this.#options.context.keyService.unwrap({
        key,
        aad,
        ciphertext,
        keyVersion: this.#versionOf(probe),
      });
      bytes.fill(0);
      this.#options.unwrapped();
      probe.confirmed = started;
      this.confirm(started);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  #report(probe: Probe, outcome: Outcome, error?: unknown): void {
    const { namespace } = probe;
    const code = error instanceof KmsCodecError ? error.code : undefined;
    const [key, keyVersion] = [this.cryptoKey, this.#versionOf(probe)];
    this.#options.context.observer.keyRevalidated?.({ namespace, key, keyVersion, outcome, code });
  }

  /**
   * Prefers the version of this state, because the version in `wrappedKey` comes from the key's first
   * message, which may not be authentic.
   */
  #versionOf({ wrappedKey }: Probe): number | undefined {
    return this.keyVersion ?? wrappedKey.keyVersion;
  }
}

type Outcome = 'confirmed' | 'refused' | 'unavailable';

const isRefusal = (error: unknown): error is KmsCodecError =>
  error instanceof KmsCodecError && !error.retryable;
