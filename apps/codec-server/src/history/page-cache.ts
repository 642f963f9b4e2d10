import { LRUCache } from 'lru-cache';

/**
 * A page of a run's history as Temporal returned it: the durable events `first` to `last`. The tokens never leave this
 * process: a token names a branch of Temporal's history store, so a forged token would read another workflow's history.
 */
export interface Page {
  readonly first: number;
  readonly last: number;
  /** Bytes of the encoded events. */
  readonly size: number;
  /** Estimated bytes of memory that the events take once they are decoded. */
  readonly decodedBytes: number;
  /** Page token that reads this page. Undefined for the first page of a history. */
  readonly token: Uint8Array | undefined;
  /** Page token that reads the next page. Undefined at the end of a closed run. */
  readonly next: Uint8Array | undefined;
}

/**
 * A followed run arrives in pages of one event. Consecutive pages are merged up to this many events, as many as Temporal
 * puts into a page, and this many bytes: each read decodes a whole page, and each merge copies it.
 */
const MAX_MERGED_EVENTS = 256;
const MAX_MERGED_BYTES = 512 * 1024;

/** The page tokens of a run take about 100 KiB at most. */
export const MAX_RUNS = 500;

/** The known pages of one run: ascending, without overlaps. */
interface RunPages {
  pages: readonly Page[];
}

/** Pages of histories, still encrypted, within a limit of bytes. Page tokens outlive the bytes of their pages. */
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

  /** Returns the page that contains the event; where none is known, the last page before it. */
  nearest(run: string, eventId: number): Page | undefined {
    return this.#runs.get(run)?.pages.findLast((page) => page.first <= eventId);
  }

  /** Returns the page's events as an encoded `History` message, unless they have been evicted. */
  bytesOf(page: Page): Uint8Array | undefined {
    return this.#bytes.get(page);
  }

  /** Adds a page. It replaces the pages that it overlaps, and is merged with the page before it if both are small. */
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
    // Protobuf concatenates the lists of a message's two encodings:
    // https://protobuf.dev/programming-guides/encoding/#last-one-wins
    if (before !== undefined) this.#bytes.set(merged, Buffer.concat([before, bytes]));
  }

  /** Replaces the token of a page's successor: Temporal renews it at the end of a running history. */
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
