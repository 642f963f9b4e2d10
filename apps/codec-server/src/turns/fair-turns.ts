/** The state that `FairTurns` keeps for a caller. */
export interface TurnTaker {
  /** The virtual time at which the caller's latest turn ends. */
  turnsEnd: number;
}

/**
 * Maximum work in one iteration of the event loop. Work is counted in bytes of parsed JSON; 1.5 MiB take
 * about 5 ms.
 */
const LOOP_WORK = 1.5 * 1024 * 1024;

/**
 * How long a large unit of work waits after another caller's turn, in milliseconds. A small request takes
 * several iterations of the loop, because it waits for the audit in between.
 */
const COURTESY_MS = 10;

/** How long a caller counts as active after its last turn, in milliseconds. */
const ACTIVE_MS = 10_000;

interface Waiting {
  readonly taker: TurnTaker;
  readonly start: number;
  readonly work: number;
  readonly go: () => void;
  /** The time at which large work must begin, even if another caller has just had a turn. */
  until?: number;
}

interface Turn {
  readonly taker: TurnTaker;
  readonly at: number;
}

/**
 * Shares the event loop between callers (start-time fair queueing). Work starts immediately if it fits into
 * the current iteration of the loop. Otherwise the work waits for a later iteration, in which the caller that
 * has used the least time goes first. A caller with occasional requests therefore waits only for the work in
 * progress, not for everything that another caller has sent. Work that is too large for one iteration also
 * waits up to 10 ms if another caller has just had a turn. If no other caller is active, work never waits:
 * waiting requests hold their bodies, which costs a fifth of the throughput.
 */
export class FairTurns {
  #started = 0;
  /**
   * Virtual time: the start of the latest turn that had to wait, or the latest end of any turn if no turn is
   * waiting.
   */
  #now = 0;
  #latest = 0;
  #scheduled = false;
  /** The latest turn, and the latest turn of any other caller. */
  #last: Turn | undefined;
  #lastOfOther: Turn | undefined;
  readonly #waiting: Waiting[] = [];

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * @returns undefined if the work may start immediately, otherwise a promise that resolves when it may start
   */
  take(taker: TurnTaker, work: number): Promise<void> | undefined {
    const start = Math.max(this.#now, taker.turnsEnd);
    this.#count(taker, start + work);
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#next);
    }
    if (
      this.#waiting.length === 0 &&
      (this.#isAlone(taker) || (this.#fits(work) && !this.#isRude(taker, work)))
    ) {
      this.#start(taker, work);
      return undefined;
    }
    return new Promise((go) => void this.#waiting.push({ taker, start, work, go }));
  }

  /** Counts work whose amount became known only when the work was done. */
  charge(taker: TurnTaker, work: number): void {
    this.#count(taker, Math.max(this.#now, taker.turnsEnd) + work);
  }

  #count(taker: TurnTaker, end: number): void {
    taker.turnsEnd = end;
    this.#latest = Math.max(this.#latest, end);
  }

  #fits(work: number): boolean {
    return this.#started === 0 || this.#started + work <= LOOP_WORK;
  }

  /** Whether the work is too large for one iteration, and another caller has just had a turn. */
  #isRude(taker: TurnTaker, work: number): boolean {
    if (work <= LOOP_WORK) return false;
    return this.#wasOther(taker, COURTESY_MS);
  }

  #isAlone(taker: TurnTaker): boolean {
    return !this.#wasOther(taker, ACTIVE_MS);
  }

  /** Whether another caller had a turn in the last `ms` milliseconds. */
  #wasOther(taker: TurnTaker, ms: number): boolean {
    const other = this.#last?.taker === taker ? this.#lastOfOther : this.#last;
    return other !== undefined && performance.now() < other.at + ms;
  }

  #isHeld(waiting: Waiting): boolean {
    if (!this.#isRude(waiting.taker, waiting.work)) return false;
    const now = performance.now();
    waiting.until ??= now + COURTESY_MS;
    return now < waiting.until;
  }

  #start(taker: TurnTaker, work: number): void {
    this.#started += work;
    if (this.#last?.taker !== taker) this.#lastOfOther = this.#last;
    this.#last = { taker, at: performance.now() };
  }

  readonly #next = (): void => {
    this.#started = 0;
    // Work for which no other caller had to wait does not count against its caller later.
    if (this.#waiting.length === 0) this.#now = this.#latest;
    for (;;) {
      const first = this.#first();
      if (first === undefined || !this.#fits(first.work)) break;
      this.#waiting.splice(this.#waiting.indexOf(first), 1);
      this.#now = Math.max(this.#now, first.start);
      this.#start(first.taker, first.work);
      first.go();
    }
    this.#scheduled = this.#started > 0 || this.#waiting.length > 0;
    if (this.#started > 0) setImmediate(this.#next);
    else if (this.#scheduled) setTimeout(this.#next, 1);
  };

  /** Returns the turn with the earliest virtual start, among the waiting turns that are not held back. */
  #first(): Waiting | undefined {
    let first: Waiting | undefined;
    for (const waiting of this.#waiting) {
      if ((first === undefined || waiting.start < first.start) && !this.#isHeld(waiting)) first = waiting;
    }
    return first;
  }
}
