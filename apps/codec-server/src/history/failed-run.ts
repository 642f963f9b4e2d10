import type { Outcome } from '@temporal-kms/audit';
import {
  countReason,
  type PayloadRef,
  payloadRefOf,
  type ReasonCounts,
  type RunCause,
  type WorkflowSummary,
} from '@temporal-kms/codec-api';
import { eventIdOf, eventPayloads, type Payload, workflowContext } from '@temporal-kms/histories/payloads';
import { bodyOf } from '@temporal-kms/histories/readable';
import {
  allLocked,
  type Cause,
  causeOfEnd,
  fingerprint,
  type Reading,
  shortener,
} from '@temporal-kms/histories/why';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import type { Logger } from 'pino';
import type { MemoryLease } from '../memory.ts';
import type { HistoryCodec } from './decrypt-payload.ts';
import { decryptSome, type RefPayload } from './decrypt-some.ts';
import type { RevealRecord } from './decrypted-events.ts';
import { historyEvent } from './event.ts';
import type { Inspect } from './payload-stub.ts';
import type { HistoryReader, Run } from './reader.ts';
import { type KmsCallBudget, KmsCallBudgetExhausted, type StreamLifetime } from './stream-limits.ts';

/** Maximum size of a decrypted failure. Temporal itself truncates most failures at 4 KiB. */
const MAX_FAILURE_BYTES = 256 * 1024;

/** How many characters of a message a client gets. */
const MAX_MESSAGE = 1_000;

/** How many characters of a build's name a client gets. */
const MAX_BUILD = 200;

export interface FailedRunOptions {
  readonly namespace: string;
  readonly reader: Pick<HistoryReader, 'lastEvent'>;
  readonly inspect: Inspect;
  readonly lifetime: StreamLifetime;
  /** Absent: messages and stack traces stay locked. */
  readonly decrypting?: Decrypting | undefined;
}

interface Decrypting {
  readonly codec: HistoryCodec<'decode'>;
  readonly log: Logger;
  readonly budget: KmsCallBudget;
  /** Writes the audit's intent for these payloads of a run. */
  readonly begin: (run: Run, refs: readonly PayloadRef[]) => Promise<RunRecord>;
}

/** Authorizes the decryption of a run's failure, and writes the audit's outcome at the end. */
interface RunRecord extends RevealRecord {
  end(outcome: Outcome): Promise<void>;
}

/** What was read of a failed run. */
export type FailedRun =
  | { readonly status: 'read'; readonly cause: RunCause; readonly unreadable: ReasonCounts }
  /** The run no longer has a failure: it was reset, or its status in the visibility store was out of date. */
  | { readonly status: 'none' }
  /** The budget of Cloud KMS calls is used up. */
  | { readonly status: 'limit' };

/**
 * Reads why a run failed: only its last event, and in that event only the messages and stack traces. Writes the
 * audit's outcome before it returns plaintext.
 * @throws HttpError as `HistoryReader.read`; `audit_unavailable`
 */
export async function readFailedRun(listed: WorkflowSummary, options: FailedRunOptions): Promise<FailedRun> {
  const { namespace, reader, inspect, lifetime, decrypting } = options;
  const { signal, memory } = lifetime;
  const run = { namespace, workflowId: listed.workflowId, runId: listed.runId };
  const lease = memory.pageLease();
  const plaintext = memory.lease();
  try {
    const event = await reader.lastEvent(run, signal, {
      reserve: (bytes) => lease.wait(Math.min(bytes, memory.pageShare), signal),
    });
    if (event === undefined) return { status: 'none' };
    const home = workflowContext(run);
    const json = await historyEvent(event, home, inspect, lifetime);
    const unreadable: ReasonCounts = {};
    let cause = causeOfEnd(json, allLocked);
    if (cause === undefined) return { status: 'none' };
    const refs = [...new Set(cause.refs)];
    if (decrypting !== undefined && refs.length > 0) {
      const stored = eventPayloads(event, home).flatMap((payload, n) => {
        const ref = payloadRefOf(eventIdOf(event), n);
        return refs.includes(ref) ? [{ ref, payload }] : [];
      });
      const readings = await decryptAll(run, stored, decrypting, lifetime, plaintext);
      if (readings === undefined) return { status: 'limit' };
      for (const reading of readings.values())
        if (reading.status === 'unreadable') countReason(unreadable, reading.reason);
      await lifetime.checkpoint();
      cause = causeOfEnd(json, (ref) => readings.get(ref) ?? { status: 'locked' }) ?? cause;
    }
    return { status: 'read', cause: runCauseOf(listed, cause), unreadable };
  } finally {
    plaintext.end();
    lease.end();
  }
}

/** Returns undefined if the budget of Cloud KMS calls does not cover the payloads. */
async function decryptAll(
  run: Run,
  stored: readonly RefPayload[],
  { begin, ...decrypting }: Decrypting,
  lifetime: StreamLifetime,
  lease: MemoryLease,
): Promise<ReadonlyMap<PayloadRef, Reading> | undefined> {
  if (decrypting.budget.take([stored.map(({ payload }) => payload)]) === 0) return undefined;
  const record = await begin(
    run,
    stored.map(({ ref }) => ref),
  );
  const readings = new Map<PayloadRef, Reading>();
  const shorten = shortener();
  let outcome: Outcome = 'failed';
  try {
    for await (const { ref, result } of decryptSome(stored, { ...decrypting, record, lifetime, lease }))
      readings.set(
        ref,
        result.ok ? readingOf(result.payload, shorten) : { status: 'unreadable', reason: result.reason },
      );
    outcome = 'complete';
  } catch (error) {
    const isExhausted = error instanceof KmsCallBudgetExhausted;
    const reason = isExhausted ? 'limit' : lifetime.interruption();
    outcome = reason === 'disconnected' ? 'cut_off' : (reason ?? 'failed');
    if (!isExhausted) throw error;
    return undefined;
  } finally {
    await record.end(outcome);
  }
  return readings;
}

/**
 * Returns the message and stack trace of a decrypted failure, shortened. The SDKs' failure converters write them
 * as JSON.
 */
function readingOf(payload: Payload, shorten: (text: string) => string): Reading {
  const { data, encoding } = bodyOf(payload);
  if (data.length > MAX_FAILURE_BYTES) return { status: 'unreadable', reason: 'too_large' };
  let value: unknown;
  try {
    value = encoding.startsWith('json/') ? JSON.parse(Buffer.from(data).toString()) : undefined;
  } catch {
    // A custom failure converter may write anything. The message then stays the placeholder's.
  }
  if (!isRecord(value)) return { status: 'readable', value: undefined };
  const short = (name: string) => {
    const text = value[name];
    return typeof text === 'string' ? shorten(text) : undefined;
  };
  return { status: 'readable', value: { message: short('message'), stack_trace: short('stack_trace') } };
}

function runCauseOf(listed: WorkflowSummary, cause: Cause): RunCause {
  const { workflowId, runId, type, status, startTime, closeTime, searchAttributes } = listed;
  const { version, id, parts } = fingerprint(cause, type);
  const build = buildOf(searchAttributes);
  const { message } = cause;
  return {
    workflowId,
    runId,
    workflowType: type,
    status,
    ...(startTime !== undefined && { startTime }),
    ...(closeTime !== undefined && { closeTime }),
    ...(build !== undefined && { build: build.slice(0, MAX_BUILD) }),
    fingerprint: { id, version, parts: { ...parts, frames: [...parts.frames] } },
    message:
      message.status === 'readable' ? { ...message, text: message.text.slice(0, MAX_MESSAGE) } : message,
  };
}

/**
 * Returns the worker deployment version, or else the build id, that a run used last.
 * https://docs.temporal.io/search-attribute#default-search-attribute
 */
function buildOf(attributes: WorkflowSummary['searchAttributes']): string | undefined {
  const version = attributes['TemporalWorkerDeploymentVersion'];
  if (typeof version === 'string' && version !== '') return version;
  const ids = attributes['BuildIds'];
  const last: unknown = Array.isArray(ids) ? ids.at(-1) : undefined;
  // `unversioned:1.4.2`, `versioned:1.4.2`, `assigned:1.4.2`, `pinned:orders:1.4.2`; `unversioned` alone is no build.
  return typeof last === 'string' && last.includes(':') ? last.slice(last.indexOf(':') + 1) : undefined;
}
