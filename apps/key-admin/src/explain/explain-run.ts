import { MAX_REFS, type PayloadRef } from '@temporal-kms/codec-api';
import { groupEvents } from '@temporal-kms/histories/events';
import { type Payload, unreadableReason } from '@temporal-kms/histories/payloads';
import { bodyOf } from '@temporal-kms/histories/readable';
import { type Explanation, explain, type Reading } from '@temporal-kms/histories/why';
import { isStorageReference } from '@temporal-kms/payload-storage';
import type { Decrypted } from '../decrypt/decryptor.ts';
import type { RunToExplain } from './read-run.ts';

/** What the command `explain` prints about a run. */
export interface ExplainedRun {
  readonly run: RunToExplain;
  readonly explanation: Explanation;
  /** Number of payloads in the explanation that could not be decrypted. */
  readonly unreadable: number;
}

/** Writes an intent to the audit, and then decrypts the run's payloads in the order of the refs. */
export type DecryptRefs = (
  run: RunToExplain,
  refs: readonly PayloadRef[],
) => Promise<ReadonlyMap<PayloadRef, Decrypted>>;

/**
 * Explains a run. Decrypts only the payloads that the explanation shows: the messages of failures, and names inside
 * payloads.
 * @param decrypt if undefined, the explanation contains only types and names
 * @throws what `decrypt` throws
 */
export async function explainRun(run: RunToExplain, decrypt: DecryptRefs | undefined): Promise<ExplainedRun> {
  const readings = new Map<PayloadRef, Reading>();
  const read = (ref: PayloadRef): Reading => readings.get(ref) ?? storedReading(run, ref);
  const { events, status, details, now } = run;
  const input = { events, groups: groupEvents(events), status, details, now, read };
  const locked = explain(input);
  const refs = locked.refs.filter((ref) => read(ref).status === 'locked').slice(0, MAX_REFS);
  if (decrypt !== undefined && refs.length > 0)
    for (const [ref, result] of await decrypt(run, refs))
      readings.set(
        ref,
        result.ok ? decryptedReading(result.payload) : { status: 'unreadable', reason: result.reason },
      );
  // Passes a new object, because the rules cache their findings for each object.
  const explanation = explain({ ...input });
  const unreadable = explanation.refs.filter((ref) => read(ref).status === 'unreadable').length;
  return { run, explanation, unreadable };
}

/** The encodings that Temporal's converters write. A payload with such an encoding is not encrypted. */
const plain: ReadonlySet<string> = new Set(['json/plain', 'json/protobuf', 'binary/plain', 'binary/null']);

function storedReading({ payloads }: RunToExplain, ref: PayloadRef): Reading {
  const payload = payloads.get(ref)?.payload;
  if (payload === undefined) return { status: 'unreadable', reason: 'event_not_found' };
  const exported = unreadableReason(payload);
  if (exported !== undefined) return { status: 'unreadable', reason: exported.reason };
  return plain.has(bodyOf(payload).encoding) && !isStorageReference(payload)
    ? readable(payload)
    : { status: 'locked' };
}

/** Returns a decrypted payload's content. A reference whose object was not read is unreadable. */
const decryptedReading = (payload: Payload): Reading =>
  isStorageReference(payload) ? { status: 'unreadable', reason: 'external_reference' } : readable(payload);

function readable(payload: Payload): Reading {
  const { data, encoding } = bodyOf(payload);
  if (!encoding.startsWith('json/')) return { status: 'readable', value: undefined };
  try {
    return { status: 'readable', value: JSON.parse(Buffer.from(data).toString()) };
  } catch {
    return { status: 'unreadable', reason: 'malformed' };
  }
}
