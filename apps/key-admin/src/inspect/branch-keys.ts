import type { PayloadDescription } from './describe-payload.ts';

/** A history's messages under one branch key. */
export interface BranchKeyRow {
  /** SHA-256 of the wrapped branch key. `deny` in the keys file names the key by this hash. */
  readonly wrappedKeyHash: string;
  readonly payloads: number;
  readonly firstEvent: number;
  readonly lastEvent: number;
}

/** Counts a history's messages under each branch key. */
export class BranchKeys {
  readonly #rows = new Map<string, BranchKeyRow>();

  /** @param eventId the payload's event id, not lower than the previous payload's event id */
  add(eventId: number, { wrappedKeyHash }: PayloadDescription): void {
    if (wrappedKeyHash === undefined) return;
    const { payloads = 0, firstEvent = eventId } = this.#rows.get(wrappedKeyHash) ?? {};
    this.#rows.set(wrappedKeyHash, {
      wrappedKeyHash,
      payloads: payloads + 1,
      firstEvent,
      lastEvent: eventId,
    });
  }

  /** Returns the rows, ordered by their first event. */
  rows(): readonly BranchKeyRow[] {
    return [...this.#rows.values()];
  }
}
