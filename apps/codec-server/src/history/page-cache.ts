import { LRUCache } from 'lru-cache';

/**
 * A page of a run's history as Temporal returned it, with the durable events `first` to `last`. Page tokens
 * never leave this process, because a token names a branch of Temporal's history store: with a forged token,
 * a client could read another workflow's history.
 */
export interface Page {
  readonly first: number;
  readonly last: number;
  /** Bytes of the encoded events. */
  readonly size: number;
  /** Estimated memory in bytes for the decoded events. */
  readonly decodedBytes: number;
  /** Page token that reads this page, or undefined for the first page of a history. */
  readonly token: Uint8Array | undefined;
  /** Page token that reads the next page, or undefined at the end of a closed run. */
  readonly next: Uint8Array | undefined;
}

/**
 * While a stream follows a run, new events arrive in pages of one event. Consecutive pages are merged until
 * they have this many events (as in Temporal's own pages) or bytes. The limits exist because each read
 * decodes a whole page, and each merge copies the page.
 */
const MAX_MERGED_EVENTS = 256;
const MAX_MERGED_BYTES = 512 * 1024;

/** Maximum number of runs whose page tokens are kept. A run's tokens take at most about 100 KiB. */
export const MAX_RUNS = 500;

/** The known pages of one run, in ascending order and without overlaps. */
interface RunPages {
  pages: readonly Page[];
}

/**
 * A cache for pages of histories, still encrypted, with a limit in bytes. Page tokens are kept after the
 * bytes of a page are evicted.
 */
export class PageCache {
  readonly #bytes: LRUCache<Page, Uint8Array>;
  readonly #runs: LRUCache<string, RunPages>;

  constructor(maxBytes: number) {
    this.#bytes = new LRUCache<Page, Uint8Array>({
      maxSize: maxBytes,
      sizeCalculation: (bytes) => bytes.length + 1,
    });
    this.#runs = new LRUCache<string, RunPages>({
      max: MAX_RUNS,
      dispose: ({ pages }) => {
        for (const page of pages) this.#bytes.delete(page);
      },
    });
  }

  has(run: string): boolean {
    return this.#runs.has(run);
  }

  delete(run: string): void {
    this.#runs.delete(run);
  }

  /** Returns the page that contains the event, or, if that page is unknown, the last known page before it. */
  nearest(run: string, eventId: number): Page | undefined {
    return this.#runs.get(run)?.pages.findLast((page) => page.first <= eventId);
  }

  /** Returns the page's events as an encoded `History` message, unless they have been evicted. */
  bytesOf(page: Page): Uint8Array | undefined {
    return this.#bytes.get(page);
  }

  /**
   * Adds a page. Replaces overlapping pages, and merges the page with the previous page if both are small.
   */
  insert(run: string, page: Page, bytes: Uint8Array): void {
    const known = this.#entry(run);
    const overlaps = (other: Page): boolean => other.first <= page.last && page.first <= other.last;
    for (const replaced of known.pages.filter(overlaps)) this.#bytes.delete(replaced);
    const kept = known.pages.filter((other) => !overlaps(other));
    const previous = kept.find((other) => canMerge(other, page));
    const merged: Page =
      previous === undefined
        ? page
        : {
            ...previous,
            last: page.last,
            next: page.next,
            size: previous.size + page.size,
            decodedBytes: previous.decodedBytes + page.decodedBytes,
          };
    known.pages = [...kept.filter((other) => other !== previous), merged].toSorted(
      (a, b) => a.first - b.first,
    );
    if (previous === undefined) {
      this.#bytes.set(merged, bytes);
      return;
    }
    const before = this.#bytes.get(previous);
    this.#bytes.delete(previous);
    // Concatenating two encoded `History` messages concatenates their repeated fields:
    // https://protobuf.dev/programming-guides/encoding/#last-one-wins
    if (before !== undefined) this.#bytes.set(merged, Buffer.concat([before, bytes]));
  }

  /**
   * Replaces the token that reads the next page, because Temporal renews that token at the end of a running
   * history.
   */
  renew(run: string, page: Page, next: Uint8Array | undefined): void {
    const known = this.#entry(run);
    const renewed = { ...page, next };
    known.pages = known.pages.map((other) => (other === page ? renewed : other));
    const bytes = this.#bytes.get(page);
    this.#bytes.delete(page);
    if (bytes !== undefined) this.#bytes.set(renewed, bytes);
  }

  #entry(run: string): RunPages {
    const known = this.#runs.get(run) ?? { pages: [] };
    this.#runs.set(run, known);
    return known;
  }
}

const canMerge = (before: Page, page: Page): boolean =>
  before.last + 1 === page.first &&
  page.last - before.first < MAX_MERGED_EVENTS &&
  before.size + page.size <= MAX_MERGED_BYTES;
