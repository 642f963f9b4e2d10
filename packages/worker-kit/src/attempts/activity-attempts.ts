import type { CodecContext, WorkerAttempts } from '@temporal-kms/kms-codec';
import { LRUCache } from 'lru-cache';
import { ActivityAttempt, type AttemptOptions } from './activity-attempt.ts';

/** The ids that identify an activity in the context of its payloads. */
type ActivityIds = Pick<CodecContext, 'workflowId' | 'activityId'>;

/** Why Temporal's Core has cancelled an attempt. Reasons that do not affect waits are `other`. */
export type CancelReason = 'gone' | 'worker-shutdown' | 'other';

/**
 * Maximum number of started attempts whose input has not been decoded yet. A worker never has more such
 * attempts than slots.
 */
const MAX_STARTED = 10_000;

/**
 * Maximum time between the end of the waits and the time when the worker abandons its activities. During this
 * time, the activities' failures can reach Temporal.
 */
const SHUTDOWN_MARGIN_MS = 1_000;

/**
 * Tracks the activity attempts that a worker has started, so that a decode of an activity's input finds the
 * activity's attempt. Temporal's SDK also passes a context with the same ids when a workflow task decodes the
 * activity's result. Therefore, only the first context object with the ids of a newly arrived task belongs to
 * the attempt. Later calls are recognized by the identity of this object.
 */
export class ActivityAttempts implements WorkerAttempts {
  isComplete = false;
  readonly #started = new LRUCache<string, ActivityAttempt>({ max: MAX_STARTED });
  readonly #claimed = new WeakMap<CodecContext, ActivityAttempt>();
  /** Attempts that are waiting, by task token. */
  readonly #waiting = new Map<string, ActivityAttempt>();
  /** Whether the worker is about to abandon its activities. */
  #isAbandoning = false;

  /** Records that an activity task has arrived. */
  start(taskToken: string, ids: ActivityIds, options: Omit<AttemptOptions, 'onWait'>): void {
    const attempt = new ActivityAttempt({
      ...options,
      onWait: (isWaiting) => {
        if (!isWaiting) this.#waiting.delete(taskToken);
        else if (this.#isAbandoning) attempt.end();
        else this.#waiting.set(taskToken, attempt);
      },
    });
    this.#started.set(idOf(ids), attempt);
  }

  /**
   * Records that Core has cancelled an attempt. Ends the attempt's wait if Temporal no longer knows the
   * attempt, or if the worker shuts down and another attempt will follow. A final attempt continues to wait
   * during a shutdown (see `shutDown`). If a cancellation of the activity was requested, the activity handles
   * the request itself.
   */
  cancel(taskToken: string, reason: CancelReason): void {
    const attempt = this.#waiting.get(taskToken);
    if (reason === 'gone' || (reason === 'worker-shutdown' && attempt?.isLast === false)) attempt?.end();
  }

  /**
   * Records that the worker has begun to shut down. Waits end before the worker abandons its activities.
   * Otherwise, the failure of a final attempt would be lost, and the workflow would notice only a timeout.
   * @param forceMs milliseconds until the worker abandons its activities
   */
  shutDown(forceMs: number): void {
    const abandon = (): void => {
      this.#isAbandoning = true;
      for (const attempt of this.#waiting.values()) attempt.end();
    };
    setTimeout(abandon, forceMs - Math.min(SHUTDOWN_MARGIN_MS, forceMs / 2)).unref();
  }

  /** Returns the attempt whose payloads are decoded in this context. */
  of(context: CodecContext | undefined): ActivityAttempt | undefined {
    if (context?.type !== 'activity') return undefined;
    const claimed = this.#claimed.get(context);
    if (claimed) return claimed;
    const id = idOf(context);
    const started = this.#started.get(id);
    if (!started) return undefined;
    this.#started.delete(id);
    this.#claimed.set(context, started);
    return started;
  }
}

const idOf = ({ workflowId = '', activityId = '' }: ActivityIds): string =>
  `${workflowId.length}.${workflowId}${activityId}`;
