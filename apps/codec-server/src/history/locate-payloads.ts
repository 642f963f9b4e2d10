import { type DecodeRequest, partsOfRef, type PayloadRef, payloadRefOf } from '@temporal-kms/codec-api';
import {
  eventIdOf,
  eventPayloads,
  type Payload,
  type ProtoEvent,
  type StoredPayload,
  workflowContext,
} from '@temporal-kms/histories/payloads';
import { badRequest, HttpError } from '../errors.ts';
import type { MemoryBudget } from '../memory.ts';
import type { MemoryPool, Release } from '../memory-pool.ts';
import type { temporal } from '@temporalio/proto';
import { responseMemory } from '../temporal/bounded-responses.ts';
import type { TemporalService } from '../temporal/service.ts';
import { createCheckpoint } from '../turns/checkpoint.ts';
import { DESCRIBED_REFS, describedPayloads } from './description.ts';
import { type EventPage, readPage } from './event-pages.ts';
import type { HistoryReader, Run } from './reader.ts';
import { IN_FLIGHT_OVERHEAD_BYTES } from './stream-limits.ts';

type Description = temporal.api.workflowservice.v1.IDescribeWorkflowExecutionResponse;

/** A payload that a caller wants to decode. */
export interface PayloadRequest {
  readonly ref: PayloadRef;
  /** Stored size in bytes. */
  readonly bytes: number;
  /** The payload, if the request has a copy in memory. */
  readonly held?: StoredPayload | undefined;
  /**
   * Returns the copy, or reads the payload again. Resolves to undefined if the history no longer has the
   * payload.
   */
  load(signal: AbortSignal): Promise<StoredPayload | undefined>;
  /** Frees the copy. Undefined if the request holds no copy of the payload. */
  readonly release?: () => void;
}

export interface PayloadSource {
  readonly temporal: Pick<TemporalService, 'describe'>;
  readonly reader: Pick<HistoryReader, 'read'>;
  /** The memory that all requests in flight share. */
  readonly memory: MemoryBudget;
}

/**
 * Maximum bytes of copies that one request holds before they are decrypted. Payloads beyond this limit are
 * read a second time.
 */
const MAX_HELD_BYTES = 8 * 1024 * 1024;

/**
 * Finds the payloads for refs. Temporal receives only the event id of a ref, and only if the run has that
 * event. The caller must call `release` for each result.
 * @throws HttpError `not_found` if the run does not exist, `bad_request` for a ref that is not in the run
 */
export async function locatePayloads(
  source: PayloadSource,
  run: Run,
  refs: DecodeRequest['refs'],
  signal: AbortSignal,
): Promise<LocatedPayload[]> {
  const requests = new LocatedPayloads(source.memory.copies);
  try {
    const byEvent = await locateDescribed(source, run, refs, requests, signal);
    const home = workflowContext(run);
    const ids = [...byEvent.keys()].toSorted((a, b) => a - b);
    for await (const [eventId, event] of eventsById(source, run, ids, signal)) {
      // Lists an event's payloads only once, because an event may have thousands.
      const payloads = event === undefined ? [] : eventPayloads(event, home);
      for (const n of byEvent.get(eventId) ?? []) {
        const stored = event === undefined ? undefined : payloadAt(payloads, eventId, n);
        requests.add(payloadRefOf(eventId, n), stored, (later) => readAgain(source, run, eventId, n, later));
      }
    }
    return requests.all;
  } catch (error) {
    for (const { release } of requests.all) release();
    throw error;
  }
}

/** Locates payloads in the run's description. @returns the payload numbers of all other refs, by event id */
async function locateDescribed(
  source: PayloadSource,
  run: Run,
  refs: DecodeRequest['refs'],
  requests: LocatedPayloads,
  signal: AbortSignal,
): Promise<Map<number, number[]>> {
  // Reads one description at a time, because a description may be much larger than a payload.
  let reading: Promise<unknown> = Promise.resolve();
  const again = (ref: PayloadRef, later: AbortSignal): Promise<StoredPayload | undefined> => {
    const next = reading.then(() =>
      withDescription(source, run, true, later, async (description) =>
        copyOf((await describedBy(description, run)).get(ref)),
      ),
    );
    reading = next.catch(() => undefined);
    return next;
  };
  // The complete description is needed only for payloads that are in the description.
  const needsAll = refs.some((ref) => partsOfRef(ref).eventId === 0);
  return await withDescription(source, run, needsAll, signal, async (description) => {
    const byEvent = numbersByEvent(refs, Number(description.workflowExecutionInfo?.historyLength ?? 0));
    const described = needsAll ? await describedBy(description, run) : undefined;
    for (const n of byEvent.get(0) ?? []) {
      const ref = payloadRefOf(0, n);
      requests.add(ref, described?.get(ref), (later) => again(ref, later));
    }
    byEvent.delete(0);
    return byEvent;
  });
}

async function withDescription<T>(
  { temporal, memory }: PayloadSource,
  { namespace, workflowId, runId }: Run,
  needsAll: boolean,
  signal: AbortSignal,
  use: (description: Description) => Promise<T>,
): Promise<T> {
  const lease = memory.lease();
  try {
    const request = { namespace, execution: { workflowId, runId } };
    return await use(await temporal.describe(request, signal, needsAll ? responseMemory(lease) : undefined));
  } finally {
    lease.end();
  }
}

async function describedBy(description: Description, run: Run): Promise<Map<string, StoredPayload>> {
  const context = workflowContext(run);
  const described = await describedPayloads(description, createCheckpoint());
  return new Map([...described].map(([ref, location]) => [ref, { ...location, context }]));
}

/**
 * Collects located payloads. Copies the payloads as long as there is memory for copies, so that their pages
 * can be released.
 */
class LocatedPayloads {
  readonly all: LocatedPayload[] = [];
  readonly #copies: MemoryPool;
  #held = 0;
  #mayHold = true;

  constructor(copies: MemoryPool) {
    this.#copies = copies;
  }

  /** @param read reads the payload again; called once memory for the copy is available */
  add(ref: PayloadRef, stored: StoredPayload | undefined, read: PayloadRequest['load']): void {
    const bytes = stored?.payload.data?.length ?? 0;
    if (stored === undefined) {
      this.all.push(new LocatedPayload(ref, bytes, async () => undefined));
      return;
    }
    const cost = copyCost(stored.payload);
    const free = this.#mayHold && this.#held + cost <= MAX_HELD_BYTES ? this.#copies.take(cost) : undefined;
    // Streams decrypt payloads in the order of `all`. Once a payload must wait for copy memory, no later
    // copy may be held, because that copy could block the waiting payload.
    this.#mayHold = free !== undefined;
    this.#held += cost;
    const load: ReadAgain = async (signal, keep) => {
      // Waits for the copy's memory before reading the page, because a page would hold memory that other
      // requests need.
      keep(await this.#copies.wait(cost, signal));
      return read(signal);
    };
    this.all.push(new LocatedPayload(ref, bytes, load, free && { stored: copyOf(stored), free }));
  }
}

/** @param keep called before the copy is made, with a function that frees the copy's memory */
type ReadAgain = (
  signal: AbortSignal,
  keep: (release: Release) => void,
) => Promise<StoredPayload | undefined>;

class LocatedPayload implements PayloadRequest {
  readonly ref: PayloadRef;
  readonly bytes: number;
  readonly #read: ReadAgain;
  #held: StoredPayload | undefined;
  #free: Release | undefined;

  constructor(
    ref: PayloadRef,
    bytes: number,
    read: ReadAgain,
    copy?: { readonly stored: StoredPayload | undefined; readonly free: Release },
  ) {
    this.ref = ref;
    this.bytes = bytes;
    this.#read = read;
    this.#held = copy?.stored;
    this.#free = copy?.free;
  }

  get held(): StoredPayload | undefined {
    return this.#held;
  }

  async load(signal: AbortSignal): Promise<StoredPayload | undefined> {
    return this.#held ?? (await this.#read(signal, (free) => (this.#free = free)));
  }

  readonly release = (): void => {
    this.#held = undefined;
    this.#free?.();
    this.#free = undefined;
  };
}

function numbersByEvent(refs: DecodeRequest['refs'], length: number): Map<number, number[]> {
  const byEvent = new Map<number, number[]>();
  for (const ref of new Set(refs)) {
    const { eventId, n } = partsOfRef(ref);
    if (eventId === 0 && n >= DESCRIBED_REFS)
      throw badRequest(`The ref ${ref} is invalid; use a ref that the API returned.`);
    if (eventId > length)
      throw badRequest(`The run has no event ${eventId}; its last event is event ${length}.`);
    byEvent.set(eventId, [...(byEvent.get(eventId) ?? []), n]);
  }
  return byEvent;
}

function payloadAt(payloads: readonly StoredPayload[], eventId: number, n: number): StoredPayload {
  const stored = payloads[n];
  if (stored !== undefined) return stored;
  throw badRequest(
    `Event ${eventId} has ${payloads.length} payloads, but none with the ref ${eventId}:${n}; use a ref that the ` +
      'API returned.',
  );
}

/** Memory overhead of a copied metadata entry, in bytes, not counting its name and value. */
const ENTRY_COST = 256;

const copyCost = ({ data, metadata }: Payload): number =>
  Object.entries(metadata ?? {}).reduce(
    (sum, [key, value]) => sum + ENTRY_COST + key.length + value.length,
    IN_FLIGHT_OVERHEAD_BYTES + (data?.length ?? 0),
  );

/** Copies a payload's bytes, because the originals are views that would keep the whole page in memory. */
function copyOf(stored: StoredPayload): StoredPayload;
function copyOf(stored: StoredPayload | undefined): StoredPayload | undefined;
function copyOf(stored: StoredPayload | undefined): StoredPayload | undefined {
  if (stored === undefined) return undefined;
  const { data, externalPayloads, ...payload } = stored.payload;
  const metadata = Object.entries(payload.metadata ?? {}).map(
    ([key, value]) => [key, Buffer.from(value)] as const,
  );
  return {
    ...stored,
    payload: {
      ...payload,
      metadata: Object.fromEntries(metadata),
      ...(data ? { data: Buffer.from(data) } : {}),
      // The copy includes external payloads, because `hasTooManyEntries` counts them.
      ...(externalPayloads?.length ? { externalPayloads } : {}),
    },
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
    return copyOf(payloadAt(eventPayloads(event, workflowContext(run)), eventId, n));
  } finally {
    release();
  }
}

/**
 * Yields the events with the given ids, and reads each page only once. Yields undefined for an event that was
 * deleted after the run was described.
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
