import {
  buildIdsOf,
  countReason,
  type HistoryEvent,
  type PayloadRef,
  payloadRefOf,
  type ReasonCounts,
  type RunCause,
  type WorkflowSummary,
} from '@temporal-kms/codec-api';
import {
  eventIdOf,
  eventPayloads,
  type Payload,
  type ProtoEvent,
  workflowContext,
} from '@temporal-kms/histories/payloads';
import { bodyOf } from '@temporal-kms/histories/readable';
import {
  allLocked,
  type Cause,
  causeOfEnd,
  decisiveEvent,
  fingerprint,
  type Reading,
  shortText,
} from '@temporal-kms/histories/why';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import type { DecryptResult } from './decrypt-payload.ts';
import { type Decrypting, decryptInRun } from './decrypt-some.ts';
import { historyEvent } from './event.ts';
import type { Visited } from './over-runs.ts';
import type { Inspect } from './payload-stub.ts';
import type { HistoryReader, PageBudget, Run } from './reader.ts';
import type { StreamLifetime } from './stream-limits.ts';

/** Maximum size of a decrypted failure. Temporal itself truncates most failures at 4 KiB. */
const MAX_FAILURE_BYTES = 256 * 1024;

/** Messages are cut to this many characters. */
const MAX_MESSAGE = 1_000;

/** Names of builds are cut to this many characters. */
const MAX_BUILD = 200;

export interface FailedRunOptions {
  readonly namespace: string;
  readonly reader: Pick<HistoryReader, 'lastEvent' | 'lastTasks' | 'lastTaskEnd'>;
  readonly inspect: Inspect;
  readonly lifetime: StreamLifetime;
  /** Without this field, messages and stack traces are not decrypted. */
  readonly decrypting?: Decrypting | undefined;
}

/**
 * The result for a failed run. `none`: the run has no failure now, because it was reset, its workflow task
 * has completed, or its status in the visibility store was out of date.
 */
export type FailedRun = Visited<FailureOfRun>;

export interface FailureOfRun {
  readonly cause: RunCause;
  /** How many messages and stack traces could not be decrypted, by reason code. */
  readonly unreadable: ReasonCounts;
}

/**
 * Reads why a run failed or, if the run could not continue because its workflow task failed, why the task
 * failed. Decrypts only the event with the failure, and in that event only the messages and stack traces.
 * Writes the audit's outcome before it returns plaintext.
 * @throws the same HttpErrors as `HistoryReader.read`; HttpError `audit_unavailable`
 */
export async function readFailedRun(listed: WorkflowSummary, options: FailedRunOptions): Promise<FailedRun> {
  const { namespace, reader, inspect, lifetime, decrypting } = options;
  const { signal, memory } = lifetime;
  const run = { namespace, workflowId: listed.workflowId, runId: listed.runId };
  const lease = memory.pageLease();
  const plaintext = memory.lease();
  try {
    const budget: PageBudget = { reserve: (bytes) => lease.wait(Math.min(bytes, memory.pageShare), signal) };
    const home = workflowContext(run);
    const events = await lastEvents(listed, run, reader, signal, budget);
    const read: (HistoryEvent & { readonly event: ProtoEvent; readonly at: number })[] = [];
    for (const event of events) {
      const json = await historyEvent(event, home, inspect, lifetime);
      read.push({ ...json, event, at: Date.parse(json.eventTime) });
    }
    const json = decisiveEvent(read);
    if (json === undefined) return { status: 'none' };
    const { event } = json;
    const unreadable: ReasonCounts = {};
    let cause = causeOfEnd(json, allLocked);
    if (cause === undefined) return { status: 'none' };
    const refs = [...new Set(cause.refs)];
    if (decrypting !== undefined && refs.length > 0) {
      const stored = eventPayloads(event, home).flatMap((payload, n) => {
        const ref = payloadRefOf(eventIdOf(event), n);
        return refs.includes(ref) ? [{ ref, payload }] : [];
      });
      const readings = await decryptInRun(run, stored, {
        decrypting,
        read: readTexts,
        lifetime,
        lease: plaintext,
      });
      if (readings === undefined) return { status: 'limit' };
      for (const reading of readings.values())
        if (reading.status === 'unreadable') countReason(unreadable, reading.reason);
      await lifetime.checkpoint();
      cause = causeOfEnd(json, (ref) => readings.get(ref) ?? { status: 'locked' }) ?? cause;
    }
    return { status: 'read', value: { cause: runCauseOf(listed, json, cause), unreadable } };
  } finally {
    plaintext.end();
    lease.end();
  }
}

/**
 * Returns the events that show why a run failed, or why it is stuck. A run that timed out or was terminated
 * may have waited for its workflow task, so the events before its end are read too.
 */
async function lastEvents(
  { status }: Pick<WorkflowSummary, 'status'>,
  run: Run,
  reader: FailedRunOptions['reader'],
  signal: AbortSignal,
  budget: PageBudget,
): Promise<readonly ProtoEvent[]> {
  if (status === 'TimedOut' || status === 'Terminated') return await reader.lastTasks(run, signal, budget);
  const event =
    status === 'Running'
      ? await reader.lastTaskEnd(run, signal, budget)
      : await reader.lastEvent(run, signal, budget);
  return event === undefined ? [] : [event];
}

/** Returns what the decrypted payloads contain, by ref. */
async function readTexts(
  results: AsyncIterable<{ readonly ref: PayloadRef; readonly result: DecryptResult }>,
): Promise<ReadonlyMap<PayloadRef, Reading>> {
  const readings = new Map<PayloadRef, Reading>();
  for await (const { ref, result } of results)
    readings.set(
      ref,
      result.ok ? readingOf(result.payload) : { status: 'unreadable', reason: result.reason },
    );
  return readings;
}

/**
 * Returns the message and stack trace of a decrypted failure, shortened. The SDKs' failure converters write
 * both as JSON.
 */
function readingOf(payload: Payload): Reading {
  const { data, encoding } = bodyOf(payload);
  if (data.length > MAX_FAILURE_BYTES) return { status: 'unreadable', reason: 'too_large' };
  let value: unknown;
  try {
    value = encoding.startsWith('json/') ? JSON.parse(Buffer.from(data).toString()) : undefined;
  } catch {
    // A custom failure converter may write data that is not JSON. The message then remains the
    // placeholder of the encoded failure.
  }
  if (!isRecord(value)) return { status: 'readable', value: undefined };
  const short = (name: string) => {
    const text = value[name];
    return typeof text === 'string' ? shortText(name, text) : undefined;
  };
  return { status: 'readable', value: { message: short('message'), stack_trace: short('stack_trace') } };
}

function runCauseOf(listed: WorkflowSummary, { eventTime }: HistoryEvent, cause: Cause): RunCause {
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
    ...(status === 'Running' && { failingSince: eventTime }),
    ...(build !== undefined && { build: build.slice(0, MAX_BUILD) }),
    fingerprint: { id, version, parts: { ...parts, frames: [...parts.frames] } },
    message:
      message.status === 'readable' ? { ...message, text: message.text.slice(0, MAX_MESSAGE) } : message,
  };
}

/**
 * Returns the worker deployment version that a run used last, or else the build id.
 * https://docs.temporal.io/search-attribute#default-search-attribute
 */
function buildOf(attributes: WorkflowSummary['searchAttributes']): string | undefined {
  const version = attributes['TemporalWorkerDeploymentVersion'];
  if (typeof version === 'string' && version !== '') return version;
  const last = buildIdsOf(attributes).at(-1);
  return last?.slice(last.indexOf(':') + 1);
}
