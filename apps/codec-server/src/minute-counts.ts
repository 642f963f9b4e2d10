const MINUTE_MS = 60_000;

/** Events of one kind that came in one minute and did not pass. */
interface Repeated<T> {
  /** The first of its kind in this minute. */
  readonly first: T;
  /** When it came, in milliseconds since 1970. */
  readonly since: number;
  readonly count: number;
}

export interface MinuteCountsOptions<T> {
  /** How many kinds are distinguished in a minute. */
  readonly kinds: number;
  /** Called when a minute ends, with the kinds of which more came than passed. */
  readonly ended: (repeated: readonly Repeated<T>[]) => void;
}

/**
 * Bounds what is written about events that unauthenticated clients can cause: the first of each kind pass at once, the others of the
 * same minute are counted and reported together. A minute begins with its first event; a change of the clock does not
 * move its end.
 */
export class MinuteCounts<T> {
  readonly #options: MinuteCountsOptions<T>;
  readonly #kinds = new Map<string, { first: T; since: number; passed: number; count: number }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: MinuteCountsOptions<T>) {
    this.#options = options;
  }

  /** Whether another kind may be distinguished in this minute. */
  get hasRoom(): boolean {
    return this.#kinds.size < this.#options.kinds;
  }

  has(kind: string): boolean {
    return this.#kinds.has(kind);
  }

  /**
   * @param most how many of the kind pass in a minute
   * @returns whether the event passes; if not, it is counted
   */
  pass(kind: string, event: T, most: number): boolean {
    const known = this.#of(kind, event);
    if (known.passed < most) {
      known.passed += 1;
      return true;
    }
    known.count += 1;
    return false;
  }

  /** Counts events that do not pass. */
  count(kind: string, event: T, events: number): void {
    this.#of(kind, event).count += events;
  }

  /** Ends the minute now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ended = [...this.#kinds.values()];
    this.#kinds.clear();
    this.#options.ended(ended.filter(({ count }) => count > 0));
  }

  #of(kind: string, first: T): { passed: number; count: number } {
    this.#timer ??= setTimeout(() => this.flush(), MINUTE_MS).unref();
    let known = this.#kinds.get(kind);
    if (known === undefined) {
      known = { first, since: Date.now(), passed: 0, count: 0 };
      this.#kinds.set(kind, known);
    }
    return known;
  }
}
