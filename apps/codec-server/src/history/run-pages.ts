/**
 * A page of a run's history as Temporal gave it: the durable events `first` to `last`. The tokens are Temporal's and
 * never leave this process: one names a branch of the history store, and a forged one would read another's.
 */
export interface Page {
  readonly first: number;
  readonly last: number;
  /** Bytes of its events, as they are kept. */
  readonly size: number;
  /** Reads this page; absent for a history's first. */
  readonly token: Uint8Array | undefined;
  /** Reads what comes after it; absent once the run is closed and this is its end. */
  readonly next: Uint8Array | undefined;
}

/**
 * Pages of a followed run come an event at a time. They are joined up to this many events, as Temporal's own pages have,
 * and this many bytes: a page is decoded whole, and copied for each event that joins it.
 */
const MAX_JOINED_EVENTS = 256;
const MAX_JOINED_BYTES = 512 * 1024;

/** The pages of one run that this process knows, in order, without overlaps. */
export class RunPages {
  #pages: Page[] = [];

  get all(): readonly Page[] {
    return this.#pages;
  }

  /** The page that holds the event or, where none does, the last one before it. */
  nearest(eventId: number): Page | undefined {
    return this.#pages.findLast((page) => page.first <= eventId);
  }

  /** Puts a page in, in place of those that it overlaps; returns what stands there now. */
  insert(page: Page): {
    readonly page: Page;
    readonly joined: Page | undefined;
    readonly replaced: readonly Page[];
  } {
    const overlaps = (one: Page): boolean => one.first <= page.last && page.first <= one.last;
    const replaced = this.#pages.filter(overlaps);
    const kept = this.#pages.filter((one) => !overlaps(one));
    const joined = kept.find(
      (one) =>
        one.last + 1 === page.first &&
        page.last - one.first < MAX_JOINED_EVENTS &&
        one.size + page.size <= MAX_JOINED_BYTES,
    );
    const stands =
      joined === undefined
        ? page
        : { ...joined, last: page.last, next: page.next, size: joined.size + page.size };
    this.#pages = [...kept.filter((one) => one !== joined), stands].toSorted((a, b) => a.first - b.first);
    return { page: stands, joined, replaced };
  }

  /** Temporal renews the token at a running history's end although nothing has come. */
  renew(page: Page, next: Uint8Array | undefined): Page {
    const renewed = { ...page, next };
    this.#pages = this.#pages.map((one) => (one === page ? renewed : one));
    return renewed;
  }
}
