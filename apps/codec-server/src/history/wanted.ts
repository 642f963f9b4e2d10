import type { DecodeRequest } from '@temporal-kms/codec-api';
import { badRequest, HttpError } from '../errors.ts';
import type { TemporalService } from '../temporal/service.ts';
import { type SealedIn, sealedIn, workflowContext } from './context.ts';
import { DESCRIBED_REFS, describedPayloads } from './description.ts';
import { eventIdOf, eventPayloads, type ProtoEvent } from './event.ts';
import type { Payload } from '../payload.ts';
import type { Found } from './message.ts';
import type { Located } from './open-one.ts';
import type { HistoryReader, Run } from './reader.ts';

/** A payload that was asked for. */
export interface Wanted {
  readonly ref: string;
  /** As stored. */
  readonly bytes: number;
  /** The payload, where the request keeps it. */
  readonly held?: Located | undefined;
  /** Undefined when the event or the payload is no longer there. */
  load(signal: AbortSignal): Promise<Located | undefined>;
}

export interface Source {
  readonly temporal: TemporalService;
  readonly reader: HistoryReader;
}

/** Bytes of payloads that one request keeps from finding them to opening them; others are read a second time. */
const HELD_BYTES = 8 * 1024 * 1024;

/**
 * Finds the payloads that refs name. Only numbers reach Temporal, and only such as the run has: nothing of a ref is
 * passed on.
 * @throws HttpError `not_found` when there is no such run, `bad_request` for a ref that the run doesn't have
 */
export async function findWanted(
  { temporal, reader }: Source,
  run: Run,
  refs: DecodeRequest['refs'],
  signal: AbortSignal,
): Promise<Wanted[]> {
  const { namespace, workflowId, runId } = run;
  const description = await temporal.describe({ namespace, execution: { workflowId, runId } }, signal);
  const byEvent = numbersByEvent(refs, Number(description.workflowExecutionInfo?.historyLength ?? 0));
  const home = workflowContext(run);
  const wanted: Wanted[] = [];
  let held = 0;

  const described = byEvent.has(0) ? describedPayloads(description) : undefined;
  for (const n of byEvent.get(0) ?? []) {
    const found = described?.get(`0:${n}`);
    wanted.push(keep(`0:${n}`, found, home));
  }
  byEvent.delete(0);

  const ids = [...byEvent.keys()].toSorted((a, b) => a - b);
  for await (const [eventId, event] of eventsOf(reader, run, ids, signal)) {
    // Once for each event: it may have thousands of payloads.
    const payloads = event === undefined ? [] : eventPayloads(event);
    for (const n of byEvent.get(eventId) ?? []) {
      const ref = `${eventId}:${n}`;
      const found = event === undefined ? undefined : payloadAt(payloads, eventId, n);
      const bytes = sizeOf(found);
      held += bytes;
      if (event === undefined || held <= HELD_BYTES) {
        wanted.push(keep(ref, found, event === undefined ? home : sealedIn(event, found?.path ?? '', home)));
      } else {
        wanted.push({ ref, bytes, load: (later) => readAgain(reader, run, eventId, n, later) });
      }
    }
  }
  return wanted;
}

function numbersByEvent(refs: DecodeRequest['refs'], length: number): Map<number, number[]> {
  const byEvent = new Map<number, number[]>();
  for (const ref of new Set(refs)) {
    const [eventId = 0, n = 0] = ref.split(':').map(Number);
    if (eventId === 0 && n >= DESCRIBED_REFS) throw badRequest(`${ref} is no ref of a description.`);
    if (eventId > length) throw badRequest(`The run has no event ${eventId}; its last is ${length}.`);
    byEvent.set(eventId, [...(byEvent.get(eventId) ?? []), n]);
  }
  return byEvent;
}

function payloadAt(payloads: readonly Found[], eventId: number, n: number): Found {
  const found = payloads[n];
  if (found !== undefined) return found;
  throw badRequest(`Event ${eventId} has ${payloads.length} payloads; ${eventId}:${n} names none.`);
}

const sizeOf = (found: Found | undefined): number => found?.payload.data?.length ?? 0;

function keep(ref: string, found: Found | undefined, context: SealedIn): Wanted {
  const located = found && { payload: own(found.payload), sealable: found.sealable, context };
  return { ref, bytes: sizeOf(found), held: located, load: async () => located };
}

/** A payload's bytes are views of its whole page; copies let the page go. */
function own(payload: Payload): Payload {
  const metadata = Object.entries(payload.metadata ?? {}).map(
    ([key, value]) => [key, Buffer.from(value)] as const,
  );
  return {
    metadata: Object.fromEntries(metadata),
    ...(payload.data ? { data: Buffer.from(payload.data) } : {}),
  };
}

async function readAgain(
  reader: HistoryReader,
  run: Run,
  eventId: number,
  n: number,
  signal: AbortSignal,
): Promise<Located | undefined> {
  const [event] = await readOrNone(reader, run, eventId, signal);
  if (event === undefined || eventIdOf(event) !== eventId) return undefined;
  const { payload, sealable, path } = payloadAt(eventPayloads(event), eventId, n);
  return { payload, sealable, context: sealedIn(event, path, workflowContext(run)) };
}

/** The events by ascending id, each page read once; undefined for one that has gone since the run was described. */
async function* eventsOf(
  reader: HistoryReader,
  run: Run,
  ids: readonly number[],
  signal: AbortSignal,
): AsyncGenerator<[number, ProtoEvent | undefined]> {
  let events = new Map<number, ProtoEvent>();
  for (const id of ids) {
    if (!events.has(id)) {
      const read = await readOrNone(reader, run, id, signal);
      events = new Map(read.map((event) => [eventIdOf(event), event]));
    }
    yield [id, events.get(id)];
  }
}

async function readOrNone(
  reader: HistoryReader,
  run: Run,
  from: number,
  signal: AbortSignal,
): Promise<readonly ProtoEvent[]> {
  try {
    return (await reader.read(run, from, signal)).events;
  } catch (error) {
    if (error instanceof HttpError && error.code === 'not_found') return [];
    throw error;
  }
}
