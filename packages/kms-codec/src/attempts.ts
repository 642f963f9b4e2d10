import type { CodecContext } from './codec-options.ts';
import type { AttemptWaits } from './keys/wait-budget.ts';

/** An attempt of an activity whose input a codec decodes. */
export interface InputAttempt extends AttemptWaits {
  /** Whether Temporal starts no further attempt after this one. */
  readonly isLast: boolean;
  /** How many milliseconds a decode may still wait for Cloud KMS. */
  readonly remainingMs: number;
}

/** The attempts of a worker's activities. The package worker-kit tracks them. */
export interface WorkerAttempts {
  /**
   * Whether the worker reports all activity tasks. A decode without an attempt then belongs to another kind of task.
   */
  readonly isComplete: boolean;
  /** Returns the attempt whose payloads are decoded in this context. */
  of(context: CodecContext | undefined): InputAttempt | undefined;
}
