import type { PlaintextBudget } from '@temporal-kms/kms-codec';
import type { MemoryLease } from '../memory/budget.ts';
import type { Payload } from '../payload.ts';

/** Bytes of memory for each byte that is decrypted or encrypted: the byte, and its base64 in the answer. */
const COST = 7 / 3;
/** What encryption adds to a payload: header, wrapped key, nonce and tag. */
const ADDED = 512;

/**
 * The plaintext of one request, and the answer that is made of it. What its payloads take is taken before any of them is
 * decrypted; only what decompression adds is taken later.
 */
export class AnswerBudget implements PlaintextBudget {
  readonly #lease: Pick<MemoryLease, 'take'>;
  #prepaid: number;

  /** @throws what the lease throws */
  constructor(lease: Pick<MemoryLease, 'take'>, payloads: readonly Payload[]) {
    this.#lease = lease;
    this.#prepaid = payloads.reduce(
      (sum, { data }) => sum + Math.ceil(((data?.length ?? 0) + ADDED) * COST),
      0,
    );
    lease.take(this.#prepaid);
  }

  /** @throws HttpError 413, 503 */
  reserve(bytes: number): void {
    const cost = Math.ceil(bytes * COST);
    const paid = Math.min(cost, this.#prepaid);
    this.#prepaid -= paid;
    if (cost > paid) this.#lease.take(cost - paid);
  }
}
