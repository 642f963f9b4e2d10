import { KmsCodecError, reasonClass, type ReasonCode } from '@temporal-kms/kms-codec';
import { errorFields } from '../logging/error-fields.ts';
import type { WriteLog } from '@temporal-kms/node-utils/log-entry';
import { knownError } from '../logging/known-errors.ts';
import { Backoff, pause, untilAborted } from './waits.ts';
import { WorkerMisconfigured } from './worker-misconfigured.ts';

/** The part of a `KmsCodec` that `runWorker` uses. */
export interface WorkerCodec {
  warm(namespace?: string): Promise<void>;
  maintain(): void;
  close(): Promise<void>;
  /** Returns how long the keys in memory last without Cloud KMS, and why the last call failed. */
  keyState(namespace?: string): {
    readonly autonomySeconds: number;
    readonly failure: ReasonCode | undefined;
  };
}

/**
 * Polling stops when the keys last for less than this time, or for less time than a running activity may
 * still take.
 */
const RESERVE_SECONDS = 60;
/**
 * The maximum share of the keys' lifetime that is kept in reserve. In tests, keys may last for less time than
 * the reserve.
 */
const RESERVE_SHARE = 0.25;
/**
 * Polling resumes only when the keys last for longer than the reserve multiplied by this factor, so that
 * polling does not start and stop rapidly.
 */
const RESUME_FACTOR = 1.25;
/**
 * Maximum delay between attempts, in ms. Even including the duration of an attempt, a starting process tries
 * at least every 5 s.
 */
const RETRY_LIMIT_MS = 2_500;

/** Decides whether the keys of a worker's namespace last long enough for polling, and waits until they do. */
export class WorkerKeys {
  readonly #codec: WorkerCodec;
  readonly #namespace: string;
  readonly #write: WriteLog;
  #longest = 0;
  #drainSeconds = 0;

  constructor(codec: WorkerCodec, namespace: string, write: WriteLog) {
    this.#codec = codec;
    this.#namespace = namespace;
    this.#write = write;
  }

  /** Sets how long activities may continue after polling has stopped. */
  set drainSeconds(seconds: number) {
    this.#drainSeconds = seconds;
  }

  get autonomySeconds(): number {
    const seconds = this.#codec.keyState(this.#namespace).autonomySeconds;
    this.#longest = Math.max(this.#longest, seconds);
    return seconds;
  }

  /** Why the last Cloud KMS call for the keys failed; undefined if Cloud KMS responds. */
  get failure(): ReasonCode | undefined {
    return this.#codec.keyState(this.#namespace).failure;
  }

  get #reserve(): number {
    return Math.min(Math.max(RESERVE_SECONDS, this.#drainSeconds), RESERVE_SHARE * this.#longest);
  }

  /** Why Cloud KMS refuses the key in use; undefined if Cloud KMS does not refuse it. */
  get refusal(): ReasonCode | undefined {
    const { failure } = this;
    const isRefused = failure !== undefined && reasonClass(failure) !== 'retryable';
    return isRefused && this.autonomySeconds === 0 ? failure : undefined;
  }

  /** Returns whether the keys last long enough for a polling worker to continue. */
  get suffice(): boolean {
    return this.autonomySeconds > this.#reserve;
  }

  /**
   * Waits until a worker may start polling.
   * @returns false if the signal was aborted
   * @throws WorkerMisconfigured if no key is configured for the namespace
   */
  async wait(signal: AbortSignal, onWait: (reason: string) => void): Promise<boolean> {
    const backoff = new Backoff(500);
    const started = performance.now();
    let logged: string | undefined;
    while (!signal.aborted) {
      const failure = await this.#attempt(signal);
      if (failure === undefined) {
        if (signal.aborted) return false;
        const seconds = Math.round((performance.now() - started) / 1_000);
        if (logged !== undefined)
          this.#write({ level: 'INFO', message: 'Keys ready; starting to poll', fields: { seconds } });
        return true;
      }
      const { reason, message, fields } = failure;
      onWait(reason);
      if (logged !== reason) this.#write({ level: 'WARN', message, fields });
      logged = reason;
      await pause(backoff.next(RETRY_LIMIT_MS), signal);
    }
    return false;
  }

  async #attempt(signal: AbortSignal): Promise<Failure | undefined> {
    try {
      await untilAborted(this.#codec.warm(this.#namespace), signal);
    } catch (error) {
      if (knownError(error)?.isConfiguration === true) throw new WorkerMisconfigured(error);
      return failureOf(error);
    }
    const seconds = this.autonomySeconds;
    if (seconds > RESUME_FACTOR * this.#reserve) return undefined;
    // The key in use has almost expired. This call makes the codec request a replacement from Cloud KMS.
    this.#codec.maintain();
    const reason = this.failure ?? 'data_key_exhausted';
    return {
      reason,
      message:
        this.refusal === undefined
          ? 'The key expires soon; waiting for a new key'
          : 'Cloud KMS rejects the key in use; waiting for a key',
      fields: { code: reason, autonomySeconds: Math.round(seconds) },
    };
  }
}

interface Failure {
  readonly reason: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function failureOf(error: unknown): Failure {
  const fields = errorFields(error);
  if (!(error instanceof KmsCodecError))
    return { reason: fields.error, message: 'No key; waiting for a key', fields: { ...fields } };
  return {
    reason: error.code,
    message: error.retryable
      ? 'Cloud KMS unavailable; waiting for a key'
      : 'Cloud KMS rejected the call for a key; retrying until an administrator corrects the settings in Cloud KMS',
    fields: { ...fields, code: error.code, ...(error.key !== undefined && { key: error.key }) },
  };
}
