import type { Outcome } from '@temporal-kms/audit';
import type { PayloadRef } from '@temporal-kms/codec-api';
import type { StoredPayload } from '@temporal-kms/histories/payloads';
import type { Logger } from 'pino';
import type { MemoryLease } from '../memory.ts';
import { decryptPayload, type DecryptResult, type HistoryCodec } from './decrypt-payload.ts';
import type { RevealRecord } from './decrypted-events.ts';
import type { Run } from './reader.ts';
import {
  type KmsCallBudget,
  KmsCallBudgetExhausted,
  LeasedPlaintext,
  type StreamLifetime,
} from './stream-limits.ts';

/** A payload of an event, and its ref. */
export interface RefPayload {
  readonly ref: PayloadRef;
  readonly payload: StoredPayload;
}

/** The services and limits for decrypting payloads of several runs within one budget of Cloud KMS calls. */
export interface Decrypting {
  readonly codec: HistoryCodec<'decode'>;
  readonly log: Logger;
  readonly budget: KmsCallBudget;
  /** Writes the audit's intent for these payloads of a run. */
  readonly begin: (run: Run, refs: readonly PayloadRef[]) => Promise<RunRecord>;
}

/** Authorizes the decryption of payloads of a run, and writes the audit's outcome at the end. */
interface RunRecord extends RevealRecord {
  end(outcome: Outcome): Promise<void>;
}

interface DecryptSomeOptions extends Omit<Decrypting, 'begin'> {
  readonly record: RevealRecord;
  readonly lifetime: StreamLifetime;
  /** The lease for the plaintext's memory. The caller releases the lease. */
  readonly lease: MemoryLease;
}

export interface DecryptInRunOptions<P extends RefPayload, T> extends Pick<
  DecryptSomeOptions,
  'lifetime' | 'lease'
> {
  readonly decrypting: Decrypting;
  /** Processes the results. Each result is yielded as soon as its payload is decrypted. */
  readonly read: (results: AsyncIterable<P & { readonly result: DecryptResult }>) => Promise<T>;
}

/**
 * Decrypts payloads of a run. Writes the audit's intent before decrypting, and the outcome afterwards.
 * @returns undefined if the budget does not cover the payloads
 * @throws what `begin`, the lifetime's checkpoint or `read` throws
 */
export async function decryptInRun<P extends RefPayload, T>(
  run: Run,
  payloads: readonly P[],
  { decrypting: { begin, ...decrypting }, read, lifetime, lease }: DecryptInRunOptions<P, T>,
): Promise<T | undefined> {
  if (decrypting.budget.take([payloads.map(({ payload }) => payload)]) === 0) return undefined;
  const record = await begin(
    run,
    payloads.map(({ ref }) => ref),
  );
  let outcome: Outcome = 'failed';
  try {
    const value = await read(decryptSome(payloads, { ...decrypting, record, lifetime, lease }));
    outcome = 'complete';
    return value;
  } catch (error) {
    const isExhausted = error instanceof KmsCallBudgetExhausted;
    const reason = isExhausted ? 'limit' : lifetime.interruption();
    outcome = reason === 'disconnected' ? 'cut_off' : (reason ?? 'failed');
    if (!isExhausted) throw error;
    return undefined;
  } finally {
    await record.end(outcome);
  }
}

/**
 * Decrypts some payloads of an event, one at a time, and counts each payload for the audit.
 * @throws KmsCallBudgetExhausted; what the lifetime's checkpoint throws
 */
async function* decryptSome<T extends RefPayload>(
  payloads: readonly T[],
  { codec, log, record, lifetime, budget, lease }: DecryptSomeOptions,
): AsyncGenerator<T & { readonly result: DecryptResult }, void> {
  const { signal, checkpoint } = lifetime;
  const { authorizeNamespace, onInnerLayer, recordObject } = record;
  const { innerKmsCalls } = budget;
  const plaintext = new LeasedPlaintext(lease, signal);
  const options = {
    signal,
    authorizeNamespace,
    onInnerLayer,
    recordObject,
    innerKmsCalls,
    budget: plaintext,
  };
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
