import { ClientDisconnected, HttpError } from './errors.ts';
import { youngCollector } from './memory-collection.ts';
import { MemoryPool } from './memory-pool.ts';

const MiB = 1024 * 1024;

const RETRY_SECONDS = 1;

interface Waiting {
  readonly lease: MemoryLease;
  readonly bytes: number;
  readonly go: () => void;
  readonly stop: () => void;
}

/**
 * The memory that requests in flight share: an estimate, checked before the memory is allocated.
 *
 * A lease may hold at most `share` bytes. The last `share` bytes are reserved for one lease at a time, the
 * borrower. The borrower can always take its whole share without waiting for another lease, so that one
 * request can always finish, and requests cannot deadlock.
 */
export class MemoryBudget {
  readonly bytes: number;
  readonly share: number;
  /** Memory for copies of stored payloads, which are kept until there is memory for the plaintext. */
  readonly copies: MemoryPool;
  /** Memory for compressors of streams, which may last an hour. */
  readonly compressors: MemoryPool;
  #held = 0;
  #lent = 0;
  #pages = 0;
  #borrower: MemoryLease | undefined;
  #waits = 0;
  readonly #collect = youngCollector();
  readonly #refusals = { busy: 0, too_large: 0 };
  readonly #waiting = new Set<Waiting>();

  /**
   * @param share maximum bytes of one lease. Default: half of `bytes`; if that is less than 96 MiB, which the
   * largest body needs, then 96 MiB, but at most three quarters of `bytes`
   */
  constructor(bytes: number, share = shareOf(bytes)) {
    this.bytes = bytes;
    this.share = share;
    this.copies = new MemoryPool(Math.max(bytes / 8, 8 * MiB));
    this.compressors = new MemoryPool(bytes / 8);
  }

  get held(): number {
    return this.#held;
  }

  /** Total bytes that requests hold, including the pools. */
  get inUse(): number {
    return this.#held + this.copies.held + this.compressors.held;
  }

  /** Number of times that a lease has waited for memory since the process started. */
  get waits(): number {
    return this.#waits;
  }

  /**
   * Number of failed requests for memory since the process started. A request that failed with `busy` may
   * succeed later; a request that failed with `too_large` can never succeed.
   */
  get refusals(): Readonly<Record<'busy' | 'too_large', number>> {
    return this.#refusals;
  }

  /** Bytes that are not reserved for the borrower. */
  get common(): number {
    return this.bytes - this.share;
  }

  /** @param mayBorrow if false, the lease does not borrow until `goFirst` is called */
  lease(mayBorrow = true): MemoryLease {
    return new MemoryLease(this, mayBorrow);
  }

  /**
   * Returns a lease for a decoded page of a history. Page leases never borrow, and hold at most `pageShare`
   * together, so that there is always memory for decrypting the pages' payloads.
   */
  pageLease(): MemoryLease {
    return new MemoryLease(this, false, true);
  }

  /** Maximum bytes that all page leases may hold together. */
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
    this.#collect(bytes);
    this.wake();
  }

  /** @internal Resolves once the bytes are granted; rejects with the signal's reason. */
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

  /** @internal Cancels a lease's wait. */
  forget(lease: MemoryLease): void {
    for (const waiting of this.#waiting) {
      if (waiting.lease !== lease) continue;
      this.#waiting.delete(waiting);
      waiting.stop();
    }
  }

  /** @internal Grants waiting requests that fit now, longest wait first. */
  wake(): void {
    for (const waiting of this.#waiting) {
      if (!this.grant(waiting.lease, waiting.bytes)) continue;
      this.#waiting.delete(waiting);
      waiting.go();
    }
  }
}

/** The part of the budget that one request, payload or event holds. */
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
   * @throws HttpError 413 `too_large` if the lease would exceed its share; 503 `busy` while other leases hold
   *   too much
   */
  take(bytes: number): void {
    if (this.#ended) throw new ClientDisconnected();
    if (this.held + bytes > this.#budget.share) {
      this.#budget.refuse('too_large');
      const { share } = this.#budget;
      throw new HttpError(
        413,
        'too_large',
        `This request needs more than ${share} bytes of memory, the limit of one request; send less per request, ` +
          'or raise CODEC_MAX_INFLIGHT_BYTES.',
        { loggable: true },
      );
    }
    if (!this.#budget.grant(this, bytes)) {
      this.#budget.refuse('busy');
      throw new HttpError(
        503,
        'busy',
        `Requests in flight hold ${this.#budget.held} of the ${this.#budget.bytes} bytes of memory that they share ` +
          '(CODEC_MAX_INFLIGHT_BYTES); try again.',
        { retryAfter: RETRY_SECONDS, loggable: true },
      );
    }
  }

  /**
   * Takes bytes, and, if necessary, waits until other leases release memory. Call `fits` first.
   * @returns undefined if the bytes are free immediately
   */
  wait(bytes: number, signal: AbortSignal): void | Promise<void> {
    if (this.#ended) throw new ClientDisconnected();
    if (this.#budget.grant(this, bytes)) return undefined;
    return this.#budget.wait(this, bytes, signal);
  }

  /** Maximum bytes that the lease may hold. */
  get share(): number {
    return this.#budget.share;
  }

  /** Whether the lease may hold this many more bytes, in addition to the bytes for which it is waiting. */
  fits(bytes: number): boolean {
    if (this.held + this.awaited + bytes <= this.share) return true;
    this.#budget.refuse('too_large');
    return false;
  }

  /**
   * Lets the lease borrow. Do not call this function while another lease waits for this lease and holds
   * memory that this lease needs.
   */
  goFirst(): void {
    if (this.mayBorrow) return;
    this.mayBorrow = true;
    this.#budget.wake();
  }

  /** Releases bytes, by default all. Release each byte only once. */
  release(bytes = this.held): void {
    if (bytes > 0) this.#budget.release(this, Math.min(bytes, this.held));
  }

  /** Releases everything and ends the lease: further calls throw ClientDisconnected. */
  end(): void {
    this.#ended = true;
    if (this.awaited > 0) this.#budget.forget(this);
    this.release();
  }

  /** Releases all but this many bytes. */
  shrinkTo(bytes: number): void {
    this.release(this.held - bytes);
  }
}

const shareOf = (bytes: number): number => Math.max(bytes / 2, Math.min((bytes * 3) / 4, 96 * MiB));
