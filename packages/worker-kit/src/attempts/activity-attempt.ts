import type { InputAttempt } from '@temporal-kms/kms-codec';

/** The time limits of one attempt of an activity, and whether it is the final attempt. */
interface AttemptTerms {
  /** Milliseconds from the attempt's start until Temporal's server times the attempt out. */
  readonly limitMs: number;
  /**
   * Milliseconds without a heartbeat after which the attempt times out; undefined if there is no such limit.
   */
  readonly heartbeatTimeoutMs: number | undefined;
  /** Whether this is the final attempt, after which Temporal starts no further attempt. */
  readonly isLast: boolean;
}

export interface AttemptOptions extends AttemptTerms {
  /**
   * Sends a heartbeat with the same details as the previous heartbeat; undefined for local activities, which
   * have no heartbeats.
   */
  readonly heartbeat: (() => void) | undefined;
  /**
   * Called with true when the attempt's first decode begins to wait for Cloud KMS, and with false when no
   * decode waits any longer.
   */
  readonly onWait: (isWaiting: boolean) => void;
}

/**
 * The share of a non-final attempt's time after which the wait ends, because the activity needs the rest of
 * the time.
 */
const WAIT_SHARE = 0.5;
/**
 * A final attempt stops waiting when this share of its time is left, so that its failure arrives before
 * Temporal's timeout.
 */
const MARGIN_SHARE = 0.05;
const MAX_MARGIN_MS = 1_000;
/**
 * Number of heartbeats per heartbeat timeout. Temporal's Core sends a pending heartbeat at the latest when
 * 80 % of the timeout has passed.
 */
const HEARTBEATS_PER_TIMEOUT = 3;
/**
 * Interval of heartbeats if there is no heartbeat timeout. Without a timeout, heartbeats serve only to detect
 * that the attempt has ended.
 */
const DEFAULT_HEARTBEAT_MS = 10_000;
/** The maximum delay of a Node timer, in ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * One attempt of an activity whose input this process decodes. Sends heartbeats while a decode waits for
 * Cloud KMS. The wait ends when Temporal has ended the attempt. The wait ends at the latest when half of the
 * attempt's time limit has passed or, for a final attempt, shortly before the time limit.
 */
export class ActivityAttempt implements InputAttempt {
  readonly isLast: boolean;
  readonly #options: AttemptOptions;
  readonly #clock = new LaterClock();
  readonly #endMs: number;
  readonly #waitMs: number;
  /** When the attempt started or last sent a heartbeat. */
  #heardMs = 0;
  #hasEnded = false;
  readonly #waiting = new Set<() => void>();
  #stopWaiting: (() => void) | undefined;

  constructor(options: AttemptOptions) {
    const { limitMs, isLast } = options;
    this.#options = options;
    this.isLast = isLast;
    this.#endMs = limitMs - Math.min(MAX_MARGIN_MS, MARGIN_SHARE * limitMs);
    this.#waitMs = isLast ? this.#endMs : WAIT_SHARE * limitMs;
  }

  /** Returns how many milliseconds a decode may still wait for Cloud KMS. */
  get remainingMs(): number {
    return this.hasEnded ? 0 : Math.max(0, this.#waitMs - this.#clock.elapsedMs);
  }

  /** Whether the attempt has timed out or is about to time out. If so, the activity must not run. */
  get hasEnded(): boolean {
    const { heartbeatTimeoutMs = Number.POSITIVE_INFINITY } = this.#options;
    const elapsed = this.#clock.elapsedMs;
    return this.#hasEnded || elapsed >= this.#endMs || elapsed - this.#heardMs >= heartbeatTimeoutMs;
  }

  /** Ends all waits. This method is called when Temporal reports that the attempt has ended. */
  end(): void {
    this.#hasEnded = true;
    this.#giveUp();
  }

  wait(giveUp: () => void): () => void {
    this.#waiting.add(giveUp);
    this.#stopWaiting ??= this.#startWaiting();
    return () => {
      this.#waiting.delete(giveUp);
      if (this.#waiting.size > 0) return;
      this.#stopWaiting?.();
      this.#stopWaiting = undefined;
    };
  }

  #startWaiting(): () => void {
    const { heartbeat, heartbeatTimeoutMs, onWait } = this.#options;
    const everyMs =
      heartbeatTimeoutMs === undefined ? DEFAULT_HEARTBEAT_MS : heartbeatTimeoutMs / HEARTBEATS_PER_TIMEOUT;
    let hasBeaten = false;
    const beat = (): void => {
      // The attempt may have timed out while this process was stalled.
      if (this.hasEnded) this.#giveUp();
      else if (heartbeat) {
        heartbeat();
        hasBeaten = true;
        this.#heardMs = this.#clock.elapsedMs;
      }
    };
    if (this.#clock.elapsedMs - this.#heardMs >= everyMs) beat();
    const beating = setInterval(beat, Math.min(everyMs, MAX_TIMER_MS));
    const limit = setTimeout(() => this.#giveUp(), Math.min(this.remainingMs, MAX_TIMER_MS));
    onWait(true);
    return () => {
      clearInterval(beating);
      clearTimeout(limit);
      // Gives the activity the whole heartbeat timeout until its own first heartbeat, as if there had been no
      // wait.
      if (hasBeaten && !this.hasEnded) beat();
      onWait(false);
    };
  }

  #giveUp(): void {
    for (const giveUp of this.#waiting) giveUp();
  }
}

/**
 * Measures the time since its creation on two clocks, and returns the larger value. Two clocks are necessary
 * because the monotonic clock stops while the machine is suspended, and the wall clock can be set back.
 */
class LaterClock {
  readonly #monotonic = performance.now();
  readonly #wall = Date.now();

  get elapsedMs(): number {
    return Math.max(performance.now() - this.#monotonic, Date.now() - this.#wall);
  }
}
