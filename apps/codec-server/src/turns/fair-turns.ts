/** What `FairTurns` remembers of a caller. */
export interface TurnTaker {
  /** The virtual time when the caller's last turn ends. */
  turnsEnd: number;
}

/** Work is counted in bytes of JSON that are parsed: 1.5 MiB take some 5 ms. */
const LOOP_WORK = 1.5 * 1024 * 1024;

/** A small request takes some iterations of the loop: in between, it waits for the audit. */
const COURTESY_MS = 10;

/** How long a caller counts as active after its last turn. */
const ACTIVE_MS = 10_000;

interface Waiting {
  readonly taker: TurnTaker;
  readonly start: number;
  readonly work: number;
  readonly go: () => void;
  /** The latest time at which work that fills an iteration begins, once it is its turn. */
  until?: number;
}

interface Turn {
  readonly taker: TurnTaker;
  readonly at: number;
}

/**
 * Shares the event loop between callers (start-time fair queueing). Work starts at once while little was started in
 * this iteration of the loop. Other work waits for one of the next iterations, in which the caller that used least goes
 * first: a caller who sends a request now and then waits for the work in progress, not for all that another caller has
 * sent. Work that fills an iteration also waits up to 10 ms for another caller's request that has just begun. A caller
 * does not wait while no other is active: requests that wait hold their bodies, which costs a fifth of the throughput.
 */
export class FairTurns {
  #started = 0;
  /** Virtual time: the start of the last turn that waited; while no turn waits, the latest end. */
  #now = 0;
  #latest = 0;
  #scheduled = false;
  /** The callers of the last turns, with the time of each one's last turn. */
  #last: Turn | undefined;
  #lastOfOther: Turn | undefined;
  readonly #waiting: Waiting[] = [];

  get waiting(): number {
    return this.#waiting.length;
  }

  /** @returns undefined where the work may start at once, else a promise that resolves when it may */
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

  /** Counts work that was known only when it was done. */
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

  /** Whether the work would fill an iteration just after another caller's turn. */
  #isRude(taker: TurnTaker, work: number): boolean {
    if (work <= LOOP_WORK) return false;
    return this.#wasOther(taker, COURTESY_MS);
  }

  #isAlone(taker: TurnTaker): boolean {
    return !this.#wasOther(taker, ACTIVE_MS);
  }

  /** Whether another caller had a turn in the last milliseconds. */
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
    // Without competition, what a caller used does not count against it later.
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

  /** Returns the turn that starts first in virtual time, of those that are not held. */
  #first(): Waiting | undefined {
    let first: Waiting | undefined;
    for (const waiting of this.#waiting) {
      if ((first === undefined || waiting.start < first.start) && !this.#isHeld(waiting)) first = waiting;
    }
    return first;
  }
}
