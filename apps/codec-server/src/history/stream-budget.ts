import { KmsCodecError, type PlaintextBudget } from '@temporal-kms/kms-codec';
import type { MemoryLease } from '../memory/budget.ts';

/**
 * Bytes of memory for each byte of plaintext in a stream: the byte, its base64, JSON of that and what is sent, as much
 * again that V8 has yet to find, and what the allocator can't use in between.
 */
const COST = 8;

/**
 * The plaintext of what one lease of a stream is for: a payload, or an event. It waits for memory while others hold it;
 * a payload that would exceed the lease's share is `too_large`, and hides no other.
 */
export class StreamBudget implements PlaintextBudget {
  readonly #lease: MemoryLease;
  readonly #signal: AbortSignal;

  /** @param signal ends the waiting */
  constructor(lease: MemoryLease, signal: AbortSignal) {
    this.#lease = lease;
    this.#signal = signal;
  }

  reserve(bytes: number): void | Promise<void> {
    const cost = bytes * COST;
    if (this.#lease.fits(cost)) return this.#lease.wait(cost, this.#signal);
    throw new KmsCodecError(
      'too_large',
      `The payload, with others of its event, holds more plaintext than one answer may, ${Math.floor(this.#lease.share / COST)} bytes`,
    );
  }
}
