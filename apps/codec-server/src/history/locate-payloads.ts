import type { DecodeRequest, PayloadRef } from '@temporal-kms/codec-api';
import {
  eventIdOf,
  eventPayloads,
  type Payload,
  type ProtoEvent,
  type StoredPayload,
  workflowContext,
} from '@temporal-kms/history-payloads';
import { badRequest, HttpError } from '../errors.ts';
import type { MemoryBudget } from '../memory.ts';
import { responseMemory } from '../temporal/bounded-responses.ts';
import type { TemporalService } from '../temporal/service.ts';
import { DESCRIBED_REFS, describedPayloads } from './description.ts';
import { type EventPage, readPage } from './event-pages.ts';
import type { HistoryReader, Run } from './reader.ts';
import { turns } from './stream-limits.ts';

/** A payload that a caller requests to decode. */
export interface PayloadRequest {
  readonly ref: PayloadRef;
  /** Bytes of the stored payload. */
  readonly bytes: number;
  /** The payload, if the request holds it in memory. */
  readonly held?: StoredPayload | undefined;
  /** Returns the payload, or reads it again. Undefined if the history no longer has it. */
  readonly load: (signal: AbortSignal) => Promise<StoredPayload | undefined>;
}

export interface PayloadSource {
  readonly temporal: Pick<TemporalService, 'describe'>;
  readonly reader: Pick<HistoryReader, 'read'>;
  /** The memory that all requests in flight share. */
  readonly memory: MemoryBudget;
}

/** Bytes of stored payloads that one request holds until they are decrypted. It reads further payloads a second time. */
const MAX_HELD_BYTES = 8 * 1024 * 1024;

/**
 * Finds the payloads that the refs name. Sends Temporal only event numbers that the run has; nothing else of a ref leaves
 * the server.
 * @throws HttpError `not_found` if the run does not exist, `bad_request` for a ref that the run does not have
 */
export async function locatePayloads(
  source: PayloadSource,
  run: Run,
  refs: DecodeRequest['refs'],
  signal: AbortSignal,
): Promise<PayloadRequest[]> {
  const { namespace, workflowId, runId } = run;
  const checkpoint = turns();
  const requests: PayloadRequest[] = [];
  const lease = source.memory.lease();
  let byEvent: Map<number, number[]>;
  try {
    const description = await source.temporal.describe(
      { namespace, execution: { workflowId, runId } },
      signal,
      // Only payloads of the description itself need all of it.
      refs.some((ref) => ref.startsWith('0:')) ? responseMemory(lease) : undefined,
    );
    byEvent = numbersByEvent(refs, Number(description.workflowExecutionInfo?.historyLength ?? 0));
    const described = byEvent.has(0) ? await describedPayloads(description, checkpoint) : undefined;
    for (const n of byEvent.get(0) ?? []) {
      const location = described?.get(`0:${n}`);
      requests.push(hold(`0:${n}`, location && { ...location, context: workflowContext(run) }));
    }
  } finally {
    lease.end();
  }
  byEvent.delete(0);

  const home = workflowContext(run);
  let heldBytes = 0;
  const ids = [...byEvent.keys()].toSorted((a, b) => a - b);
  for await (const [eventId, event] of eventsById(source, run, ids, signal)) {
    // Once per event: an event may have thousands of payloads.
    const payloads = event === undefined ? [] : eventPayloads(event, home);
    for (const n of byEvent.get(eventId) ?? []) {
      const ref = `${eventId}:${n}`;
      const stored = event === undefined ? undefined : payloadAt(payloads, eventId, n);
      const bytes = sizeOf(stored);
      heldBytes += bytes;
      if (event === undefined || heldBytes <= MAX_HELD_BYTES) requests.push(hold(ref, stored));
      else requests.push({ ref, bytes, load: (later) => readAgain(source, run, eventId, n, later) });
    }
  }
  return requests;
}

function numbersByEvent(refs: DecodeRequest['refs'], length: number): Map<number, number[]> {
  const byEvent = new Map<number, number[]>();
  for (const ref of new Set(refs)) {
    const [eventId = 0, n = 0] = ref.split(':').map(Number);
    if (eventId === 0 && n >= DESCRIBED_REFS)
      throw badRequest(`No description has a ref ${ref}; use refs that the API returned.`);
    if (eventId > length) throw badRequest(`The run has no event ${eventId}; its last event is ${length}.`);
    byEvent.set(eventId, [...(byEvent.get(eventId) ?? []), n]);
  }
  return byEvent;
}

function payloadAt(payloads: readonly StoredPayload[], eventId: number, n: number): StoredPayload {
  const stored = payloads[n];
  if (stored !== undefined) return stored;
  throw badRequest(`Event ${eventId} has ${payloads.length} payloads and none with the ref ${eventId}:${n}.`);
}

const sizeOf = (stored: StoredPayload | undefined): number => stored?.payload.data?.length ?? 0;

function hold(ref: PayloadRef, stored: StoredPayload | undefined): PayloadRequest {
  const held = stored && { ...stored, payload: copyOf(stored.payload) };
  return { ref, bytes: sizeOf(stored), held, load: async () => held };
}

/** Copies the bytes: those of a read payload are views that keep its whole page in memory. */
function copyOf({ data, externalPayloads, ...payload }: Payload): Payload {
  const metadata = Object.entries(payload.metadata ?? {}).map(
    ([key, value]) => [key, Buffer.from(value)] as const,
  );
  return {
    metadata: Object.fromEntries(metadata),
    ...(data ? { data: Buffer.from(data) } : {}),
    // `hasTooManyEntries` counts them.
    ...(externalPayloads?.length ? { externalPayloads } : {}),
  };
}

async function readAgain(
  source: PayloadSource,
  run: Run,
  eventId: number,
  n: number,
  signal: AbortSignal,
): Promise<StoredPayload | undefined> {
  const { events, release } = await readIfExists(source, run, eventId, signal);
  try {
    const [event] = events;
    if (event === undefined || eventIdOf(event) !== eventId) return undefined;
    const stored = payloadAt(eventPayloads(event, workflowContext(run)), eventId, n);
    return { ...stored, payload: copyOf(stored.payload) };
  } finally {
    release();
  }
}

/**
 * Yields the events with the given ids, and reads each page once. Yields undefined for an event that was deleted after the
 * run was described.
 * @param ids ascending
 */
async function* eventsById(
  source: PayloadSource,
  run: Run,
  ids: readonly number[],
  signal: AbortSignal,
): AsyncGenerator<[number, ProtoEvent | undefined]> {
  let events = new Map<number, ProtoEvent>();
  let page: EventPage | undefined;
  try {
    for (const id of ids) {
      if (!events.has(id)) {
        page?.release();
        page = await readIfExists(source, run, id, signal);
        events = new Map(page.events.map((event) => [eventIdOf(event), event]));
      }
      yield [id, events.get(id)];
    }
  } finally {
    page?.release();
  }
}

async function readIfExists(
  { reader, memory }: PayloadSource,
  run: Run,
  from: number,
  signal: AbortSignal,
): Promise<EventPage> {
  try {
    return await readPage(reader, run, from, { signal, memory });
  } catch (error) {
    if (error instanceof HttpError && error.code === 'not_found')
      return { events: [], release: () => undefined };
    throw error;
  }
}
