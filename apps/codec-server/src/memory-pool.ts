/** Frees the bytes. Further calls change nothing. */
export type Release = () => void;

/**
 * Memory for one purpose, apart from what requests share: what is held here for long, or while its request waits for that
 * memory, must not use it up. Grants in the order of the requests. One that exceeds the pool gets it alone.
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

  /** Takes bytes without waiting. @returns undefined if they are not free, or others wait for them */
  take(bytes: number): Release | undefined {
    return this.#waiting.size === 0 && this.#fits(bytes) ? this.#grant(bytes) : undefined;
  }

  /** Waits until the bytes are free. Rejects with the signal's reason. */
  async wait(bytes: number, signal: AbortSignal): Promise<Release> {
    signal.throwIfAborted();
    const release = this.take(bytes);
    if (release !== undefined) return release;
    return await new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiting);
        reject(signal.reason);
        // Those behind may need less.
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
