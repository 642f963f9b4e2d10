import { ClientDisconnected, HttpError } from '../errors.ts';

const RETRY_SECONDS = 1;

interface Waiting {
  readonly lease: MemoryLease;
  readonly bytes: number;
  readonly go: () => void;
  readonly stop: () => void;
}

/**
 * The memory that requests in flight may hold together, an estimate that is checked before the memory is allocated.
 *
 * One lease may hold at most `share` bytes, and the last `share` bytes are lent to one lease at a time. A lease that
 * borrows them can therefore always take its whole share without waiting for another: whatever others hold while they
 * wait, one of them always finishes, and no two can wait for each other.
 */
export class MemoryBudget {
  readonly bytes: number;
  readonly share: number;
  #held = 0;
  #lent = 0;
  #pages = 0;
  #borrower: MemoryLease | undefined;
  #waits = 0;
  readonly #refusals = { busy: 0, too_large: 0 };
  readonly #waiting = new Set<Waiting>();

  /** @param share at most `bytes`; default half of them, but 96 MiB where there are as many, as the largest body needs */
  constructor(bytes: number, share = shareOf(bytes)) {
    this.bytes = bytes;
    this.share = share;
  }

  get held(): number {
    return this.#held;
  }

  /** Leases that had to wait, since the start. */
  get waits(): number {
    return this.#waits;
  }

  /** Since the start: `busy` may be granted later, `too_large` never. */
  get refusals(): Readonly<Record<'busy' | 'too_large', number>> {
    return this.#refusals;
  }

  /** What is not kept for the one lease that borrows. */
  get common(): number {
    return this.bytes - this.share;
  }

  /** @param mayBorrow false: takes what is common, until `goFirst` is called */
  lease(mayBorrow = true): MemoryLease {
    return new MemoryLease(this, mayBorrow);
  }

  /**
   * Returns a lease for a decoded page of a history. Such leases never borrow, and hold at most `pageShare` together:
   * the requests that decrypt what the pages contain must always find memory.
   */
  pageLease(): MemoryLease {
    return new MemoryLease(this, false, true);
  }

  /** The bytes that all page leases may hold together. */
  get pageShare(): number {
    return this.common / 2;
  }

  /** @internal */
  refuse(why: 'busy' | 'too_large'): void {
    this.#refusals[why] += 1;
  }

  /** @internal @returns whether there was room */
  grant(lease: MemoryLease, bytes: number): boolean {
    if (lease.isPage && this.#pages + bytes > this.pageShare) return false;
    if (this.#held - this.#lent + bytes > this.common) {
      if (!lease.mayBorrow || (this.#borrower ?? lease) !== lease) return false;
      this.#borrower = lease;
      this.#lent += bytes;
      lease.borrowed += bytes;
    }
    this.#held += bytes;
    if (lease.isPage) this.#pages += bytes;
    lease.held += bytes;
    return true;
  }

  /** @internal */
  release(lease: MemoryLease, bytes: number): void {
    const borrowed = Math.min(bytes, lease.borrowed);
    if (lease.isPage) this.#pages -= bytes;
    lease.held -= bytes;
    lease.borrowed -= borrowed;
    this.#held -= bytes;
    this.#lent -= borrowed;
    if (this.#borrower === lease && lease.borrowed === 0) this.#borrower = undefined;
    this.wake();
  }

  /** @internal @returns resolved once the bytes are granted; rejected with the signal's reason */
  wait(lease: MemoryLease, bytes: number, signal: AbortSignal): Promise<void> {
    this.#waits += 1;
    lease.awaited += bytes;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiting);
        lease.awaited -= bytes;
        reject(signal.reason);
      };
      const waiting: Waiting = {
        lease,
        bytes,
        go: () => {
          signal.removeEventListener('abort', leave);
          lease.awaited -= bytes;
          resolve();
        },
        stop: () => {
          signal.removeEventListener('abort', leave);
          reject(new ClientDisconnected());
        },
      };
      this.#waiting.add(waiting);
      signal.addEventListener('abort', leave, { once: true });
      if (signal.aborted) leave();
    });
  }

  /** @internal Ends the waiting of a lease. */
  forget(lease: MemoryLease): void {
    for (const waiting of this.#waiting) {
      if (waiting.lease !== lease) continue;
      this.#waiting.delete(waiting);
      waiting.stop();
    }
  }

  /** @internal Grants what fits now, those that have waited longest first. */
  wake(): void {
    for (const waiting of this.#waiting) {
      if (!this.grant(waiting.lease, waiting.bytes)) continue;
      this.#waiting.delete(waiting);
      waiting.go();
    }
  }
}

/** What one request, payload or event holds of a budget. */
export class MemoryLease {
  readonly #budget: MemoryBudget;
  /** @internal */
  mayBorrow: boolean;
  /** @internal */
  readonly isPage: boolean;
  /** @internal */
  held = 0;
  /** @internal */
  borrowed = 0;
  /** @internal */
  awaited = 0;
  #ended = false;

  constructor(budget: MemoryBudget, mayBorrow: boolean, isPage = false) {
    this.#budget = budget;
    this.mayBorrow = mayBorrow;
    this.isPage = isPage;
  }

  /**
   * Takes bytes without waiting.
   * @throws HttpError 413 `too_large` beyond the share of one lease; 503 `busy` while others hold too much
   */
  take(bytes: number): void {
    if (this.#ended) throw new ClientDisconnected();
    if (this.held + bytes > this.#budget.share) {
      this.#budget.refuse('too_large');
      const { share } = this.#budget;
      throw new HttpError(
        413,
        'too_large',
        `Answering this would take more than ${share} bytes of memory, the most that one request may hold; send less ` +
          'a request.',
        { loggable: true },
      );
    }
    if (!this.#budget.grant(this, bytes)) {
      this.#budget.refuse('busy');
      throw new HttpError(
        503,
        'busy',
        `Requests in flight hold ${this.#budget.held} of the ${this.#budget.bytes} bytes of memory that they may hold ` +
          'together (CODEC_MAX_INFLIGHT_BYTES); try again.',
        { retryAfter: RETRY_SECONDS, loggable: true },
      );
    }
  }

  /**
   * Takes bytes, waiting for others to release theirs.
   * @returns nothing where there is room at once, or where the lease would exceed its share: ask `fits` first
   */
  wait(bytes: number, signal: AbortSignal): void | Promise<void> {
    if (this.#ended) throw new ClientDisconnected();
    if (this.#budget.grant(this, bytes)) return undefined;
    return this.#budget.wait(this, bytes, signal);
  }

  /** Bytes that the lease may hold. */
  get share(): number {
    return this.#budget.share;
  }

  /** Whether the lease may ever hold so many bytes more, what it waits for included. */
  fits(bytes: number): boolean {
    if (this.held + this.awaited + bytes <= this.share) return true;
    this.#budget.refuse('too_large');
    return false;
  }

  /** From now on the lease may borrow: nothing that it belongs to waits for it to wait for another. */
  goFirst(): void {
    if (this.mayBorrow) return;
    this.mayBorrow = true;
    this.#budget.wake();
  }

  /** Gives bytes back; all of them unless told. Each may be given back once. */
  release(bytes = this.held): void {
    if (bytes > 0) this.#budget.release(this, Math.min(bytes, this.held));
  }

  /** Gives back all, and takes no more: what is still at work for it finds nobody who waits. */
  end(): void {
    this.#ended = true;
    if (this.awaited > 0) this.#budget.forget(this);
    this.release();
  }

  /** Gives back all but so many bytes. */
  shrinkTo(bytes: number): void {
    this.release(this.held - bytes);
  }
}

const MiB = 1024 * 1024;

const shareOf = (bytes: number): number => Math.max(bytes / 2, Math.min((bytes * 3) / 4, 96 * MiB));
