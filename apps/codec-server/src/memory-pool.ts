/** Frees the bytes. Only the first call has an effect. */
export type Release = () => void;

/**
 * Memory for one purpose, separate from the memory that requests share. A pool is for data that must not use
 * up the shared memory, because requests hold the data for a long time, or while they wait for shared memory.
 * Grants memory in the order of the calls. A call for more than the whole pool is granted when the pool is
 * empty.
 */
export class MemoryPool {
  readonly bytes: number;
  #held = 0;
  readonly #waiting = new Set<{ readonly bytes: number; readonly go: () => void }>();

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  get held(): number {
    return this.#held;
  }

  /**
   * Takes bytes without waiting.
   * @returns undefined if the bytes are not free or if other calls are waiting
   */
  take(bytes: number): Release | undefined {
    return this.#waiting.size === 0 && this.#fits(bytes) ? this.#grant(bytes) : undefined;
  }

  /** Waits until the bytes are free, and takes them. Rejects with the signal's reason. */
  async wait(bytes: number, signal: AbortSignal): Promise<Release> {
    signal.throwIfAborted();
    const release = this.take(bytes);
    if (release !== undefined) return release;
    return await new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiting);
        reject(signal.reason);
        // Calls that wait behind this call may need less memory.
        this.#wake();
      };
      const waiting = {
        bytes,
        go: () => {
          signal.removeEventListener('abort', leave);
          resolve(this.#grant(bytes));
        },
      };
      this.#waiting.add(waiting);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #fits(bytes: number): boolean {
    return this.#held === 0 || this.#held + bytes <= this.bytes;
  }

  #grant(bytes: number): Release {
    this.#held += bytes;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#held -= bytes;
      this.#wake();
    };
  }

  #wake(): void {
    for (const waiting of this.#waiting) {
      if (!this.#fits(waiting.bytes)) return;
      this.#waiting.delete(waiting);
      waiting.go();
    }
  }
}
