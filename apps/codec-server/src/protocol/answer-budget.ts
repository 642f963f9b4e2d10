import type { Payload } from '@temporal-kms/histories/payloads';
import type { PlaintextBudget } from '@temporal-kms/kms-codec';
import type { MemoryLease } from '../memory.ts';

/** Memory per byte that is decrypted or encrypted: the byte itself, and its base64 in the response. */
const COST = 7 / 3;
/** Bytes that encryption adds to a payload: header, wrapped key, nonce and tag. */
const ADDED = 512;

/**
 * Charges the memory budget for the plaintext of one request, and for its response. Charges the payloads'
 * sizes before any payload is decrypted; afterwards, charges only the bytes that decompression adds.
 */
export class AnswerBudget implements PlaintextBudget {
  readonly #lease: Pick<MemoryLease, 'take'>;
  #prepaid: number;

  /** @throws HttpError 413 or 503 if the memory budget has no room */
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
