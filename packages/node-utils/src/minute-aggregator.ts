import { AsyncLocalStorage } from 'node:async_hooks';

const MINUTE_MS = 60_000;

/** Events of one kind that did not pass in one minute. */
export interface SuppressedEvents<T> {
  /** The first event of its kind in this minute. */
  readonly first: T;
  /** When the first event came, in milliseconds since 1970. */
  readonly since: number;
  readonly count: number;
}

export interface MinuteAggregatorOptions<T> {
  /** How many kinds are distinguished in a minute. */
  readonly kinds: number;
  /** Called when a minute ends, with the kinds that had suppressed events. */
  readonly flushed: (suppressed: readonly SuppressedEvents<T>[]) => void;
}

/**
 * Bounds what is written about events that may be many: the first events of each kind pass at once, and further events
 * of the same minute are counted and reported together. A minute begins with its first event; a change of the system
 * clock does not move its end.
 */
export class MinuteAggregator<T> {
  readonly #options: MinuteAggregatorOptions<T>;
  readonly #kinds = new Map<string, { first: T; since: number; passed: number; count: number }>();
  /** What is reported together belongs to no single request or trace. */
  readonly #outside = AsyncLocalStorage.snapshot();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: MinuteAggregatorOptions<T>) {
    this.#options = options;
  }

  /** Whether another kind can be distinguished in this minute. */
  get hasRoom(): boolean {
    return this.#kinds.size < this.#options.kinds;
  }

  has(kind: string): boolean {
    return this.#kinds.has(kind);
  }

  /**
   * Returns whether the event passes. An event that does not pass is counted.
   * @param limit how many events of the kind pass in a minute
   */
  pass(kind: string, event: T, limit: number): boolean {
    const known = this.#of(kind, event);
    if (known.passed < limit) {
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
    this.#options.flushed(ended.filter(({ count }) => count > 0));
  }

  #of(kind: string, first: T): { passed: number; count: number } {
    this.#timer ??= setTimeout(() => this.#outside(() => this.flush()), MINUTE_MS).unref();
    let known = this.#kinds.get(kind);
    if (known === undefined) {
      known = { first, since: Date.now(), passed: 0, count: 0 };
      this.#kinds.set(kind, known);
    }
    return known;
  }
}
