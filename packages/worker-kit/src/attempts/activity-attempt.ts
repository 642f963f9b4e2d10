import type { InputAttempt } from '@temporal-kms/kms-codec';

/** What Temporal specifies about one attempt of an activity. */
interface AttemptTerms {
  /** Milliseconds from the start of the attempt until it times out on Temporal's side. */
  readonly limitMs: number;
  /** Milliseconds without a heartbeat after which the attempt times out; undefined if it has no such limit. */
  readonly heartbeatTimeoutMs: number | undefined;
  /** Whether Temporal starts no further attempt after this one. */
  readonly isLast: boolean;
}

export interface AttemptOptions extends AttemptTerms {
  /** Sends a heartbeat that keeps the details of the last one; undefined for local activities, which have none. */
  readonly heartbeat: (() => void) | undefined;
  /** Called when a decode of the attempt begins to wait for Cloud KMS, and when none waits any more. */
  readonly onWait: (isWaiting: boolean) => void;
}

/** The part of an attempt's time (unless it is the last) after which the wait ends: the activity needs the rest. */
const WAIT_SHARE = 0.5;
/** The last attempt gives up this much before its limit, so that its failure arrives before Temporal's timeout. */
const MARGIN_SHARE = 0.05;
const MAX_MARGIN_MS = 1_000;
/** Temporal's Core sends heartbeats at 80 % of the timeout at the latest, if it has a new one by then. */
const HEARTBEATS_PER_TIMEOUT = 3;
/** Without a heartbeat timeout, heartbeats only find out whether the attempt has ended. */
const DEFAULT_HEARTBEAT_MS = 10_000;
/** The longest delay of a timer in Node. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * One attempt of an activity whose input this process decodes. While a decode waits for Cloud KMS, it sends heartbeats.
 * The wait ends when the attempt has ended on Temporal's side, and early enough otherwise: for the last attempt shortly
 * before its limit, else at half of it.
 */
export class ActivityAttempt implements InputAttempt {
  readonly isLast: boolean;
  readonly #options: AttemptOptions;
  readonly #clock = new LaterClock();
  readonly #endMs: number;
  readonly #waitMs: number;
  /** When Temporal last heard of the attempt: at its start, or at the last heartbeat. */
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

  /** How many milliseconds a decode may still wait. */
  get remainingMs(): number {
    return this.hasEnded ? 0 : Math.max(0, this.#waitMs - this.#clock.elapsedMs);
  }

  /** Whether the attempt has timed out, or does so in a moment. The activity must not run then. */
  get hasEnded(): boolean {
    const { heartbeatTimeoutMs = Number.POSITIVE_INFINITY } = this.#options;
    const elapsed = this.#clock.elapsedMs;
    return this.#hasEnded || elapsed >= this.#endMs || elapsed - this.#heardMs >= heartbeatTimeoutMs;
  }

  /** Ends the waits. Called when Temporal reports that the attempt has ended. */
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
      // After a stall of this process, the attempt may have timed out.
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
      // The activity has the whole timeout until its first heartbeat, as it would have without the wait.
      if (hasBeaten && !this.hasEnded) beat();
      onWait(false);
    };
  }

  #giveUp(): void {
    for (const giveUp of this.#waiting) giveUp();
  }
}

/**
 * Measures the time since its creation. The monotonic clock stops while the machine is suspended, the other can be set
 * back.
 */
class LaterClock {
  readonly #monotonic = performance.now();
  readonly #wall = Date.now();

  get elapsedMs(): number {
    return Math.max(performance.now() - this.#monotonic, Date.now() - this.#wall);
  }
}
