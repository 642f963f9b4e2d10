import type { InputAttempt, WorkerAttempts } from './attempts.ts';
import type { CallOptions } from './call-options.ts';
import type { CodecContext, KmsCodecOptions } from './codec-options.ts';
import { type CallCount, WaitBudget } from './keys/wait-budget.ts';

const ACTIVITY_WAIT_MS = 60_000;
const OTHER_WAIT_MS = 5_000;

/** Determines how long each call of a codec waits for Cloud KMS (see {@link KmsCodecOptions.waitMs}). */
export class CallWaits {
  readonly #options: Pick<KmsCodecOptions, 'waitMs' | 'ignoreContext'>;
  readonly #calls: CallCount;
  readonly #attempts: WorkerAttempts | undefined;

  /**
   * @param calls counts the calls that wait
   * @param attempts the activity attempts of the worker that uses the codec
   */
  constructor(
    options: Pick<KmsCodecOptions, 'waitMs' | 'ignoreContext'>,
    calls: CallCount,
    attempts: WorkerAttempts | undefined,
  ) {
    this.#options = options;
    this.#calls = calls;
    this.#attempts = attempts;
  }

  /** Returns the budget of a call other than `decode`. */
  of(context: CodecContext | undefined, options: CallOptions | undefined): WaitBudget {
    return this.#budget(context?.type === 'activity', options);
  }

  /** @param attempt the attempt of the activity whose input the call decodes */
  ofDecode(
    context: CodecContext | undefined,
    options: CallOptions | undefined,
    attempt: InputAttempt | undefined,
  ): WaitBudget {
    if (attempt) {
      const { isLast, remainingMs } = attempt;
      const { activity = isLast ? remainingMs : ACTIVITY_WAIT_MS } = this.#options.waitMs ?? {};
      return new WaitBudget(Math.min(activity, remainingMs), options, this.#calls, attempt);
    }
    // If the worker reports its activity tasks, a payload without an attempt is an activity's result, which a
    // workflow task decodes.
    return this.#budget(context?.type === 'activity' && !this.#attempts?.isComplete, options);
  }

  #budget(isActivity: boolean, options: CallOptions | undefined): WaitBudget {
    const { activity = ACTIVITY_WAIT_MS, other = OTHER_WAIT_MS } = this.#options.waitMs ?? {};
    const waitMs = isActivity && !this.#options.ignoreContext ? activity : other;
    return new WaitBudget(waitMs, options, this.#calls);
  }
}
