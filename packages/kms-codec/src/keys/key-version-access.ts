import { KmsCodecError, type ReasonCode } from '../errors.ts';
import { withResolvers } from '../maybe-promise.ts';
import type { WrappedKey } from '../crypto/wrapped-key.ts';
import type { KeyContext } from './key-context.ts';
import type { WaitBudget } from './wait-budget.ts';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';

/** A wrapped key that Cloud KMS unwraps again, to find out whether it still does. */
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
   * Returns another key under the version, if one is in memory: of this process if possible, whose version is certain.
   */
  readonly another: (access: KeyVersionAccess, probe: Probe) => Probe | undefined;
  /** Called when Cloud KMS refuses the key version, or only the probe. */
  readonly refused: (access: KeyVersionAccess, code: ReasonCode, only?: Probe) => void;
}

/**
 * The part of `revalidateMs` after which a key version is revalidated: random, so that a fleet does not ask at once.
 */
const EARLIEST = 0.5;
const LATEST = 0.8;

/** After this time without an answer, in ms, Cloud KMS counts as unavailable. The answer counts whenever it arrives. */
const SLOW_MS = 1_000;

/** Milliseconds from a failed attempt to the next: a random part of twice this. */
const RETRY_MS = 10_000;

/**
 * How long, in ms, Cloud KMS counts as unavailable after a failed attempt. While a key is in use, attempts follow
 * sooner.
 */
export const FAILURE_COUNTS_MS = 60_000;

/**
 * Whether Cloud KMS lets this process use a version of a crypto key, as far as the process knows. One answer counts for
 * all wrapped keys under the version: Cloud KMS decides by the caller's permissions and by the state of the version.
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
  /** Resolves when Cloud KMS has answered, failed, or not answered in time. */
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

  /** When the last call began that Cloud KMS has answered. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** When to ask Cloud KMS again, if the key version is in use. */
  get revalidateAt(): number {
    return this.#revalidateAt;
  }

  /**
   * Whether Cloud KMS did not answer the last attempt. Unknown again a minute later, if the key version was not in
   * use.
   */
  get isFailing(): boolean {
    return this.#options.context.now() < this.#failingUntil;
  }

  /** Whether Cloud KMS has refused the key version. Data keys need another call each from then on. */
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
   * Starts to ask Cloud KMS, unless a call is in flight or has just failed. The probe counts as confirmed if it
   * answers.
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

  /** Whether a call is in flight for which a caller can wait. */
  get isAsking(): boolean {
    return this.#attempt !== undefined;
  }

  /** Waits for the attempt in flight, if there is one, for a second at most. */
  async revalidated(waitBudget: WaitBudget): Promise<void> {
    if (this.#attempt === undefined) return;
    const { promise, resolve } = withResolvers<void>();
    const leave = waitBudget.wait(resolve);
    await Promise.race([this.#attempt, promise]);
    leave();
  }

  /**
   * Records that a call that began at `started` has failed or takes long, unless Cloud KMS has answered a later call.
   */
  #failed(started: number): void {
    if (started <= this.#confirmed) return;
    const now = this.#options.context.now();
    this.#failingUntil = now + FAILURE_COUNTS_MS;
    this.#nextAttempt = now + 2 * RETRY_MS * Math.random();
  }

  /**
   * Asks with the probe. Its message names the version, and every identity that may encrypt can name a wrong one. So a
   * second key confirms a refusal before all keys of the version are removed. If Cloud KMS refuses another version for
   * it or doesn't answer, only the probe is removed, and the next use of another key asks again: until then this is
   * neither a refusal nor an outage.
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
   * Whether an error of Cloud KMS refuses this version, and not another: that of a key whose message names a wrong
   * one.
   */
  #isRefusedBy(error: unknown): boolean {
    if (!isRefusal(error)) return false;
    return error.keyVersion === undefined || (this.keyVersion ?? error.keyVersion) === error.keyVersion;
  }

  /** @returns the error of the call; undefined if Cloud KMS has unwrapped the key */
  async #unwrap(probe: Probe, started: number): Promise<unknown> {
    const { cryptoKey: key, aad, wrapped: ciphertext } = probe.wrappedKey;
    try {
      // Not counted by the limit on calls in flight: waiting there would look like an outage.
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

  /** The first message under a wrapped key, which names its version, need not be authentic. */
  #versionOf({ wrappedKey }: Probe): number | undefined {
    return this.keyVersion ?? wrappedKey.keyVersion;
  }
}

type Outcome = 'confirmed' | 'refused' | 'unavailable';

const isRefusal = (error: unknown): error is KmsCodecError =>
  error instanceof KmsCodecError && !error.retryable;
