import { type DecodeRequest, MAX_DECODE_BYTES } from '@temporal-kms/codec-api';
import { badRequest, Refusal } from '../http/refusal.ts';
import type { TemporalService } from '../temporal/service.ts';
import { type SealedIn, sealedIn, workflowContext } from './context.ts';
import { describedPayloads } from './description.ts';
import { eventIdOf, eventPayloads, type ProtoEvent } from './event.ts';
import type { Payload } from './message.ts';
import type { HistoryReader, Run } from './reader.ts';

/** A payload that was asked for; without one, the event or the payload is no longer there. */
export interface Wanted {
  readonly ref: string;
  readonly found?: { readonly payload: Payload; readonly sealable: boolean; readonly context: SealedIn };
}

export interface Source {
  readonly temporal: TemporalService;
  readonly reader: HistoryReader;
}

/**
 * Finds the payloads that refs name. Only numbers reach Temporal, and only such as the run has: nothing of a ref is
 * passed on.
 * @throws Refusal `not_found` when there is no such run, `bad_request` for a ref that the run doesn't have,
 * `too_large` when the payloads together are more than one request may decode
 */
export async function findWanted(
  source: Source,
  run: Run,
  refs: DecodeRequest['refs'],
  signal: AbortSignal,
): Promise<Wanted[]> {
  const { namespace, workflowId, runId } = run;
  const description = await source.temporal.describe({ namespace, execution: { workflowId, runId } }, signal);
  const length = Number(description.workflowExecutionInfo?.historyLength ?? 0);

  const byEvent = new Map<number, number[]>();
  for (const ref of new Set(refs)) {
    const [eventId = 0, n = 0] = ref.split(':').map(Number);
    if (eventId > length) throw badRequest(`The run has no event ${eventId}; its last is ${length}.`);
    byEvent.set(eventId, [...(byEvent.get(eventId) ?? []), n]);
  }

  const home = workflowContext(run);
  const wanted: Wanted[] = [];
  let bytes = 0;
  const take = (one: Wanted): void => {
    bytes += one.found?.payload.data?.length ?? 0;
    if (bytes > MAX_DECODE_BYTES && wanted.length > 0) {
      throw new Refusal(
        413,
        'too_large',
        `The payloads are more than ${MAX_DECODE_BYTES} bytes; ask for fewer at once.`,
      );
    }
    wanted.push(one);
  };

  const described = byEvent.has(0) ? describedPayloads(description) : undefined;
  for (const n of byEvent.get(0) ?? []) {
    const found = described?.get(`0:${n}`);
    take({
      ref: `0:${n}`,
      ...(found ? { found: { ...found, payload: own(found.payload), context: home } } : {}),
    });
  }
  byEvent.delete(0);

  const ids = [...byEvent.keys()].toSorted((a, b) => a - b);
  for await (const [eventId, event] of eventsOf(source.reader, run, ids, signal)) {
    const payloads = event === undefined ? [] : eventPayloads(event);
    for (const n of byEvent.get(eventId) ?? []) {
      const ref = `${eventId}:${n}`;
      const found = payloads[n];
      if (event === undefined) take({ ref });
      else if (found === undefined)
        throw badRequest(`Event ${eventId} has ${payloads.length} payloads; ${ref} names none.`);
      else {
        const context = sealedIn(event, found.path, home);
        take({ ref, found: { payload: own(found.payload), sealable: found.sealable, context } });
      }
    }
  }
  return wanted;
}

/** The events by ascending id, each page read once; undefined for one that has gone since the run was described. */
async function* eventsOf(
  reader: HistoryReader,
  run: Run,
  ids: readonly number[],
  signal: AbortSignal,
): AsyncGenerator<[number, ProtoEvent | undefined]> {
  let events: readonly ProtoEvent[] = [];
  for (const id of ids) {
    if (!events.some((event) => eventIdOf(event) === id)) events = await readOrNone(reader, run, id, signal);
    yield [id, events.find((event) => eventIdOf(event) === id)];
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
    if (error instanceof Refusal && error.code === 'not_found') return [];
    throw error;
  }
}

/** A payload's bytes are a view of its whole page; a copy lets the page go. */
const own = (payload: Payload): Payload => ({
  ...payload,
  ...(payload.data ? { data: payload.data.slice() } : {}),
});
