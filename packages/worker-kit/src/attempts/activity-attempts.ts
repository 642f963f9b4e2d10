import type { CodecContext, WorkerAttempts } from '@temporal-kms/kms-codec';
import { LRUCache } from 'lru-cache';
import { ActivityAttempt, type AttemptOptions } from './activity-attempt.ts';

/** What identifies an activity in the context of its payloads. */
type ActivityIds = Pick<CodecContext, 'workflowId' | 'activityId'>;

/** Why Temporal's Core cancels an attempt, as far as a wait depends on it. */
export type CancelReason = 'gone' | 'worker-shutdown' | 'other';

/** Attempts that have started and whose input was not decoded yet. There are as many as the worker has slots. */
const MAX_STARTED = 10_000;

/** Waits end this much before the worker abandons its activities, at most, so that their failures reach Temporal. */
const SHUTDOWN_MARGIN_MS = 1_000;

/**
 * The attempts of activities that a worker has started and whose input it decodes. Temporal's SDK passes the same
 * context to the codec when an activity's result is decoded in a workflow task. Only a context whose ids are those of a
 * task that has just arrived belongs to an attempt; from then on the object itself identifies it.
 */
export class ActivityAttempts implements WorkerAttempts {
  isComplete = false;
  readonly #started = new LRUCache<string, ActivityAttempt>({ max: MAX_STARTED });
  readonly #claimed = new WeakMap<CodecContext, ActivityAttempt>();
  /** By task token. */
  readonly #waiting = new Map<string, ActivityAttempt>();
  /** The worker abandons its activities in a moment. */
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
   * Records that Core has cancelled an attempt. Ends the wait of an attempt that no longer exists. At a shutdown,
   * another attempt soon follows; the last attempt has none, so it waits on, see `shutDown`. An activity whose
   * cancellation was requested handles it itself.
   */
  cancel(taskToken: string, reason: CancelReason): void {
    const attempt = this.#waiting.get(taskToken);
    if (reason === 'gone' || (reason === 'worker-shutdown' && attempt?.isLast === false)) attempt?.end();
  }

  /**
   * Records that the worker has begun to shut down. Waits end before it abandons its activities: a last attempt would
   * be lost, and the workflow would learn that only from a timeout.
   * @param forceMs milliseconds from now until then
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
