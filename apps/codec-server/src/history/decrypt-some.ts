import type { PayloadRef } from '@temporal-kms/codec-api';
import type { StoredPayload } from '@temporal-kms/histories/payloads';
import type { Logger } from 'pino';
import type { MemoryLease } from '../memory.ts';
import { decryptPayload, type DecryptResult, type HistoryCodec } from './decrypt-payload.ts';
import type { RevealRecord } from './decrypted-events.ts';
import { type KmsCallBudget, LeasedPlaintext, type StreamLifetime } from './stream-limits.ts';

/** A payload of an event, and its ref. */
export interface RefPayload {
  readonly ref: PayloadRef;
  readonly payload: StoredPayload;
}

export interface DecryptSomeOptions {
  readonly codec: HistoryCodec;
  readonly log: Logger;
  readonly record: RevealRecord;
  readonly lifetime: StreamLifetime;
  readonly budget: KmsCallBudget;
  /** Covers the plaintext until the caller releases the memory. */
  readonly lease: MemoryLease;
}

/**
 * Decrypts some payloads of an event, one after the other, and counts each of them for the audit.
 * @throws KmsCallBudgetExhausted; what the lifetime's checkpoint throws
 */
export async function* decryptSome<T extends RefPayload>(
  payloads: readonly T[],
  { codec, log, record, lifetime, budget, lease }: DecryptSomeOptions,
): AsyncGenerator<T & { readonly result: DecryptResult }, void> {
  const { signal, checkpoint } = lifetime;
  const { authorizeNamespace, onInnerLayer } = record;
  const { innerKmsCalls } = budget;
  const plaintext = new LeasedPlaintext(lease, signal);
  const options = { signal, authorizeNamespace, onInnerLayer, innerKmsCalls, budget: plaintext };
  for (const each of payloads) {
    await checkpoint();
    const result = await decryptPayload(codec, log, each.payload, options);
    signal.throwIfAborted();
    const { key, namespace } = result;
    if (result.ok) record.done(key, 1, namespace);
    else record.refused(result.reason, { ref: each.ref, ...(key && { key }) }, namespace);
    yield { ...each, result };
  }
}
