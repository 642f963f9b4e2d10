import { AsyncLocalStorage } from 'node:async_hooks';

const MINUTE_MS = 60_000;

/** The suppressed events of one kind within one minute. */
export interface SuppressedEvents<T> {
  /** The first event of this kind in this minute. */
  readonly first: T;
  /** When the first event occurred, in milliseconds since 1970. */
  readonly since: number;
  readonly count: number;
}

export interface MinuteAggregatorOptions<T> {
  /** Maximum number of kinds that are distinguished within a minute. */
  readonly kinds: number;
  /** Called at the end of a minute, with the kinds that had suppressed events. */
  readonly flushed: (suppressed: readonly SuppressedEvents<T>[]) => void;
}

/**
 * Limits the output about frequent events. The first events of each kind pass immediately. Further events in
 * the same minute are counted and reported together. A minute begins with its first event, and a change of
 * the system clock does not affect when the minute ends.
 */
export class MinuteAggregator<T> {
  readonly #options: MinuteAggregatorOptions<T>;
  readonly #kinds = new Map<string, { first: T; since: number; passed: number; count: number }>();
  /** The async context for reports. The context must not belong to a single request or trace. */
  readonly #outside = AsyncLocalStorage.snapshot();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: MinuteAggregatorOptions<T>) {
    this.#options = options;
  }

  /** Returns whether another kind can be distinguished in this minute. */
  get hasRoom(): boolean {
    return this.#kinds.size < this.#options.kinds;
  }

  has(kind: string): boolean {
    return this.#kinds.has(kind);
  }

  /**
   * Returns whether an event passes. Counts the event if it does not pass.
   * @param limit the maximum number of events of this kind that pass in a minute
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

  /** Ends the current minute immediately. */
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
