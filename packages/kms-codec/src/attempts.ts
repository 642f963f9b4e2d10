import type { CodecContext } from './codec-options.ts';
import type { AttemptWaits } from './keys/wait-budget.ts';

/** An attempt of an activity whose input a codec decodes. */
export interface InputAttempt extends AttemptWaits {
  /** Whether this is the last attempt that Temporal starts. */
  readonly isLast: boolean;
  /** How many milliseconds a decode may still wait for Cloud KMS. */
  readonly remainingMs: number;
}

/** The attempts of a worker's activities, which the package worker-kit tracks. */
export interface WorkerAttempts {
  /**
   * Whether the worker reports every activity task. If true, and `of(context)` returns undefined, the decode
   * is not for an activity task.
   */
  readonly isComplete: boolean;
  /** Returns the attempt whose payloads are decoded in this context. */
  of(context: CodecContext | undefined): InputAttempt | undefined;
}
