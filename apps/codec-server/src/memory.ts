import { totalmem } from 'node:os';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ClientDisconnected, HttpError } from './errors.ts';
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
 * One lease may hold at most `share` bytes, and the last `share` bytes are lent to one lease at a time. The borrower can
 * always take its whole share without waiting for another lease, so one request always finishes and no two requests can
 * wait for each other.
 */
export class MemoryBudget {
  readonly bytes: number;
  readonly share: number;
  /** Copies of stored payloads that wait for the memory of their plaintext. */
  readonly copies: MemoryPool;
  /** Compressors of streams, which may last an hour. */
  readonly compressors: MemoryPool;
  #held = 0;
  #lent = 0;
  #pages = 0;
  #borrower: MemoryLease | undefined;
  #waits = 0;
  readonly #collect = youngCollector();
  readonly #refusals = { busy: 0, too_large: 0 };
  readonly #waiting = new Set<Waiting>();

  /** @param share at most `bytes`. Default half of `bytes`, or three quarters up to 96 MiB: the largest body needs 96 MiB */
  constructor(bytes: number, share = shareOf(bytes)) {
    this.bytes = bytes;
    this.share = share;
    this.copies = new MemoryPool(Math.max(bytes / 8, 8 * MiB));
    this.compressors = new MemoryPool(bytes / 8);
  }

  get held(): number {
    return this.#held;
  }

  /** All that requests hold, with the pools. */
  get inUse(): number {
    return this.#held + this.copies.held + this.compressors.held;
  }

  /** Number of waits since the start. */
  get waits(): number {
    return this.#waits;
  }

  /** Failed requests for memory since the start: `busy` may succeed later, `too_large` never. */
  get refusals(): Readonly<Record<'busy' | 'too_large', number>> {
    return this.#refusals;
  }

  /** Bytes that are not reserved for the borrower. */
  get common(): number {
    return this.bytes - this.share;
  }

  /** @param mayBorrow false: takes common bytes only, until `goFirst` is called */
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

  /** @internal Ends the waiting of a lease. */
  forget(lease: MemoryLease): void {
    for (const waiting of this.#waiting) {
      if (waiting.lease !== lease) continue;
      this.#waiting.delete(waiting);
      waiting.stop();
    }
  }

  /** @internal Grants what fits now, longest-waiting request first. */
  wake(): void {
    for (const waiting of this.#waiting) {
      if (!this.grant(waiting.lease, waiting.bytes)) continue;
      this.#waiting.delete(waiting);
      waiting.go();
    }
  }
}

/** The part of a budget that one request, payload or event holds. */
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
        `This request needs more than ${share} bytes of memory, the limit of one request; send less per request.`,
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
   * Takes bytes, and waits for other leases to release theirs. Call `fits` first.
   * @returns undefined where the bytes are free at once
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

  /** Whether the lease may ever hold this many more bytes, in addition to those that it waits for. */
  fits(bytes: number): boolean {
    if (this.held + this.awaited + bytes <= this.share) return true;
    this.#budget.refuse('too_large');
    return false;
  }

  /** Lets the lease borrow: no lease that waits for this one holds what it needs. */
  goFirst(): void {
    if (this.mayBorrow) return;
    this.mayBorrow = true;
    this.#budget.wake();
  }

  /** Releases bytes, by default all of them. Release each byte once. */
  release(bytes = this.held): void {
    if (bytes > 0) this.#budget.release(this, Math.min(bytes, this.held));
  }

  /** Releases everything, and takes no more: further calls throw ClientDisconnected. */
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

/** In a smaller heap, buffers alone would reach the limit, and V8 would collect garbage without end. */
const ROOMY = 512 * MiB;

/**
 * Makes V8 count the bytes of buffers towards the limits of its heap. Otherwise V8 marks the whole heap after every 64 MiB
 * of new buffers, several times per second under load: a third of the time at 100 payloads per request
 * (docs/limits.md). With it, short-lived buffers are collected with the young generation. Leaves small heaps as they
 * are.
 */
export function countBuffersAsHeap(): void {
  if (getHeapStatistics().heap_size_limit < ROOMY) return;
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}

/** Released bytes after which the young generation is collected, in a small heap. */
const COLLECT_BYTES = 16 * MiB;

/**
 * Returns a function that collects V8's young generation after so many released bytes. V8 itself counts only the heap's
 * bytes, and collects for the sake of dead buffers when they take 64 MiB: a quarter of the smallest memory limit. A
 * collection takes about a millisecond. Does nothing in a roomy heap.
 */
function youngCollector(): (released: number) => void {
  if (getHeapStatistics().heap_size_limit >= ROOMY) return () => undefined;
  // The only way to the collector without an option of Node.
  setFlagsFromString('--expose-gc');
  const collect: NodeJS.GCFunction = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  let bytes = 0;
  return (released) => {
    bytes += released;
    if (bytes < COLLECT_BYTES) return;
    bytes = 0;
    collect({ type: 'minor' });
  };
}

/** Returns the size of the cache of raw history in bytes: 64 MiB, or a sixteenth of a smaller heap. */
export const historyBytes = (): number => Math.min(64 * MiB, getHeapStatistics().heap_size_limit / 16);

/** Memory of the process itself: Node, the clients of Google and Temporal, raw history, worker threads. */
const OWN_BYTES = 192 * MiB;
const LEAST_BUDGET = 32 * MiB;
const LARGEST_BUDGET = 512 * MiB;

/**
 * Returns the memory that requests in flight share, in bytes: half of the container's (cgroup) or machine's memory that
 * the process leaves, at most three quarters of V8's heap, 32 to 512 MiB.
 */
export function inflightBytes(): number {
  const left = Math.min((memoryLimit() - OWN_BYTES) / 2, getHeapStatistics().heap_size_limit * 0.75);
  return Math.floor(Math.min(Math.max(left, LEAST_BUDGET), LARGEST_BUDGET));
}

/** Memory of a connection before its caller is known: an unfinished head, and the socket. */
const CONNECTION_BYTES = 80 * 1024;
const MOST_CONNECTIONS = 4_096;

/** Returns the connection limit of one port: with a head each, they hold an eighth of the memory or a quarter of V8's heap. */
export function maxConnections(): number {
  const bytes = Math.min(memoryLimit() / 8, getHeapStatistics().heap_size_limit / 4);
  return Math.floor(Math.min(bytes / CONNECTION_BYTES, MOST_CONNECTIONS));
}

/** Bytes of the container (cgroup) or the machine. */
const memoryLimit = (): number => Math.min(process.constrainedMemory() || Infinity, totalmem());
