import { eventIdOf, type ProtoEvent } from '@temporal-kms/histories/payloads';
import proto, { type temporal } from '@temporalio/proto';
import { LRUCache } from 'lru-cache';
import { HttpError } from '../errors.ts';
import { MAX_VALUES } from '../temporal/wire-scan.ts';
import type { TemporalService } from '../temporal/service.ts';
import { concatenated, type EncodedEvent, encodedEvents, reduced, valuesOf } from './encoded-events.ts';
import { MAX_RUNS, type Page, PageCache } from './page-cache.ts';
import { SingleFlight } from './single-flight.ts';

export interface Run {
  readonly namespace: string;
  readonly workflowId: string;
  readonly runId: string;
}

/** Consecutive events of a history. */
export interface EventRange {
  /**
   * Durable events without gaps, beginning with the requested event. The list is empty if that event does
   * not exist yet.
   */
  readonly events: readonly ProtoEvent[];
  /**
   * Events of a workflow task in progress, after the last durable event. Temporal may still replace these
   * events.
   */
  readonly transient: readonly ProtoEvent[];
  /** Whether the run is closed and `events` contains its last event. */
  readonly complete: boolean;
}

/**
 * The content of a page that was read from Temporal. `page` is undefined if the response had no durable
 * event.
 */
interface FetchedPage {
  readonly page: Page | undefined;
  /** The durable events, and the transient events after them, each as an encoded `History` message. */
  readonly bytes: Uint8Array;
  readonly transient: Uint8Array;
  /** Memory for all events once they are decoded, in bytes. */
  readonly decodedBytes: number;
  readonly next: Uint8Array | undefined;
}

/** Memory for decoded pages. `reserve` returns a promise if the memory is not available immediately. */
export interface PageBudget {
  readonly reserve: (bytes: number) => void | Promise<void>;
}

type HistoryResponse = temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryResponse;

export interface HistoryReaderOptions {
  /** Maximum size of cached pages in bytes. Pages are cached as Temporal stores them, still encrypted. */
  readonly maxBytes: number;
}

/** Temporal's own limit for a page, in batches of events; a power of four. */
const MAX_BATCHES = 256;

/**
 * Number of batches in the first page when a history is read backwards. The page is small, because the
 * required event is usually among the last events. Later pages are larger.
 */
const LAST_BATCHES = 8;
/** The factor by which pages grow, or shrink if a page is too large for Temporal to send. */
const PAGE_FACTOR = 4;

/**
 * Reads histories by event id. Temporal returns a history only page by page, so the reader caches pages, and
 * walks to an unknown page from the nearest known page. Any replica can therefore serve any request; a warm
 * cache only makes the request faster.
 */
export class HistoryReader {
  readonly #service: TemporalService;
  readonly #pages: PageCache;
  readonly #fetches = new SingleFlight<FetchedPage>();
  /** Number of batches per page, for runs whose pages exceed Temporal's message size limit. */
  readonly #batches = new LRUCache<string, number>({ max: MAX_RUNS });

  constructor(service: TemporalService, { maxBytes }: HistoryReaderOptions) {
    this.#service = service;
    this.#pages = new PageCache(maxBytes);
  }

  /**
   * Returns at most one page of events, beginning with `from`. If a running history ends before `from`, waits
   * up to about 20 s for a new event. Reserves the memory for the page before decoding its events.
   * @throws HttpError `not_found` if the run no longer exists, `temporal_unavailable`
   */
  async read(run: Run, from: number, signal: AbortSignal, budget?: PageBudget): Promise<EventRange> {
    const key = `${run.namespace}\n${run.workflowId}\n${run.runId}`;
    try {
      return await this.#walk(run, key, from, signal, budget);
    } catch (error) {
      if (!(error instanceof HttpError) || !this.#pages.has(key)) throw error;
      if (error.code === 'not_found') this.#pages.delete(key);
      if (error.code !== 'bad_request') throw error;
      // After a reset or an upgrade, Temporal rejects tokens that it issued earlier, so the reader starts
      // over without tokens.
      this.#pages.delete(key);
      return await this.#walk(run, key, from, signal, budget);
    }
  }

  /**
   * Returns the event that closed a run, or undefined for an open run. Takes one call, however long the
   * history is.
   * @throws the same HttpErrors as `read`
   */
  async lastEvent(run: Run, signal: AbortSignal, budget?: PageBudget): Promise<ProtoEvent | undefined> {
    const { namespace, workflowId, runId } = run;
    const response = await this.#service.history(
      {
        namespace,
        execution: { workflowId, runId },
        maximumPageSize: 1,
        historyEventFilterType: HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
      },
      signal,
    );
    const last = encodedEvents(response).at(-1);
    return last?.isDurable ? await single(last, budget) : undefined;
  }

  /**
   * Returns the last event of a closed run, preceded by those of its last events that belong to workflow
   * tasks. Takes one call, or two if the last events are too large. Misses a task that is followed by many
   * events.
   * @throws the same HttpErrors as `read`
   */
  async lastTasks(run: Run, signal: AbortSignal, budget?: PageBudget): Promise<readonly ProtoEvent[]> {
    const { namespace, workflowId, runId } = run;
    const request = { namespace, execution: { workflowId, runId }, maximumPageSize: LAST_BATCHES };
    let response: HistoryResponse;
    try {
      response = await this.#service.historyReverse(request, signal);
    } catch (error) {
      if (!(error instanceof HttpError) || error.code !== 'too_large') throw error;
      const last = await this.lastEvent(run, signal, budget);
      return last === undefined ? [] : [last];
    }
    const all = encodedEvents(response).toSorted((a, b) => a.eventId - b.eventId);
    const last = all.at(-1);
    const events = reduced(
      all.filter((event) => event.isDurable && (event === last || TASKS.has(event.eventType))),
    );
    await reserve(budget, memoryOf(events));
    return decode(concatenated(events));
  }

  /**
   * Returns the event that ended a run's latest workflow task, or undefined if no workflow task has ended.
   * Reads the history backwards in growing pages, so that 10,000 signals after a failing task take about 40
   * calls. Temporal limits the number of events in a history, and therefore the number of calls.
   * @throws the same HttpErrors as `read`
   */
  async lastTaskEnd(run: Run, signal: AbortSignal, budget?: PageBudget): Promise<ProtoEvent | undefined> {
    const { namespace, workflowId, runId } = run;
    let batches = LAST_BATCHES;
    let largest = MAX_BATCHES;
    let nextPageToken: Uint8Array | undefined = new Uint8Array();
    while (nextPageToken !== undefined) {
      try {
        const response: HistoryResponse = await this.#service.historyReverse(
          { namespace, execution: { workflowId, runId }, maximumPageSize: batches, nextPageToken },
          signal,
        );
        const last = encodedEvents(response).find(({ eventType }) => TASK_ENDS.has(eventType));
        if (last !== undefined) return await single(last, budget);
        nextPageToken = response.nextPageToken?.length ? response.nextPageToken : undefined;
        batches = Math.min(batches * PAGE_FACTOR, largest);
      } catch (error) {
        if (!(error instanceof HttpError) || error.code !== 'too_large' || batches === 1) throw error;
        largest = Math.max(1, Math.floor(batches / PAGE_FACTOR));
        batches = largest;
      }
    }
    return undefined;
  }

  async #walk(
    run: Run,
    key: string,
    from: number,
    signal: AbortSignal,
    budget: PageBudget | undefined,
  ): Promise<EventRange> {
    let reserved: Promise<void> | undefined;
    for (;;) {
      const page = this.#pages.nearest(key, from);
      const contains = page !== undefined && from <= page.last;
      if (contains && this.#pages.bytesOf(page) !== undefined) {
        await (reserved ??= reserve(budget, page.decodedBytes));
        // The page may have been evicted while this call waited for memory.
        const bytes = this.#pages.bytesOf(page);
        if (bytes !== undefined)
          return { events: eventsFrom(bytes, from), transient: [], complete: page.next === undefined };
      }
      if (page !== undefined && !contains && page.next === undefined) {
        return { events: [], transient: [], complete: true };
      }
      const token = contains ? page.token : page?.next;
      const first = contains ? page.first : (page?.last ?? 0) + 1;
      const fetched = await this.#fetches.run(`${key}\n${first}`, signal, (shared) =>
        this.#fetch(run, key, page, token, shared),
      );
      if (fetched.page !== undefined && (from < fetched.page.first || fetched.page.last < from)) continue;
      if (reserved === undefined) {
        const waiting = budget?.reserve(fetched.decodedBytes);
        // Drops the page, so that the request holds no memory during the wait, and then reads the page again
        // from the cache or from Temporal.
        if (waiting !== undefined) {
          reserved = waiting;
          await reserved;
          if (fetched.page !== undefined) continue;
        }
      }
      return rangeOf(fetched, from);
    }
  }

  /** @param after the last known page, whose next token is renewed if there is no later event yet */
  async #fetch(
    run: Run,
    key: string,
    after: Page | undefined,
    token: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<FetchedPage> {
    const { events: all, nextPageToken } = await this.#request(run, key, token, signal);
    const events = all.filter(({ isDurable }) => isDurable);
    const decodedBytes = memoryOf(all);
    const transient = concatenated(all.filter(({ isDurable }) => !isDurable));
    // Copies the token, because it is a view that would keep the whole gRPC response in memory.
    const next = nextPageToken?.length ? new Uint8Array(nextPageToken) : undefined;
    const [head] = events;
    const tail = events.at(-1);
    const bytes = concatenated(events);
    if (head === undefined || tail === undefined) {
      if (after !== undefined) this.#pages.renew(key, after, next);
      return { page: undefined, bytes, transient, decodedBytes, next };
    }
    const page = {
      first: head.eventId,
      last: tail.eventId,
      size: bytes.length,
      decodedBytes: memoryOf(events),
      token,
      next,
    };
    this.#pages.insert(key, page, bytes);
    return { page, bytes, transient, decodedBytes, next };
  }

  /**
   * Temporal puts up to 256 batches of events into a page, whatever their size, and fails to send a page that
   * exceeds Temporal's own message size limit (temporalio/features#487). The reader then requests smaller
   * pages. The reader also requests smaller pages if a page has too many values. If a single batch has too
   * many values, the events with the most values lose their attributes.
   */
  async #request(
    run: Run,
    key: string,
    token: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<{
    readonly events: readonly EncodedEvent[];
    readonly nextPageToken: HistoryResponse['nextPageToken'];
  }> {
    const { namespace, workflowId, runId } = run;
    let batches = this.#batches.get(key) ?? MAX_BATCHES;
    for (;;) {
      try {
        const response = await this.#service.history(
          {
            namespace,
            execution: { workflowId, runId },
            maximumPageSize: batches,
            // At the end of an open run's history, Temporal returns a page token only with this option,
            // and waits for a new event. Elsewhere, the option has no effect.
            waitNewEvent: true,
            ...(token === undefined ? {} : { nextPageToken: token }),
          },
          signal,
        );
        const events = encodedEvents(response);
        if (batches === 1 || valuesOf(events) <= MAX_VALUES)
          return { events: reduced(events), nextPageToken: response.nextPageToken };
      } catch (error) {
        if (!(error instanceof HttpError) || error.code !== 'too_large' || batches === 1) throw error;
      }
      batches /= PAGE_FACTOR;
      this.#batches.set(key, batches);
    }
  }
}

const { HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT } = proto.temporal.api.enums.v1.HistoryEventFilterType;

const { EventType } = proto.temporal.api.enums.v1;
const TASK_ENDS: ReadonlySet<number> = new Set([
  EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
  EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
  EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
]);
const TASKS: ReadonlySet<number> = new Set([
  EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
  EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
  ...TASK_ENDS,
]);

const reserve = async (budget: PageBudget | undefined, bytes: number): Promise<void> =>
  budget?.reserve(bytes);

/** Reserves the memory for an event, and then decodes the event. */
async function single(event: EncodedEvent, budget: PageBudget | undefined): Promise<ProtoEvent | undefined> {
  await reserve(budget, event.bytes);
  return decode(concatenated(reduced([event]))).at(-1);
}

const memoryOf = (events: readonly EncodedEvent[]): number =>
  events.reduce((sum, { bytes }) => sum + bytes, 0);

const decode = (bytes: Uint8Array): readonly ProtoEvent[] =>
  proto.temporal.api.history.v1.History.decode(bytes).events;

const rangeOf = ({ bytes, transient, next }: FetchedPage, from: number): EventRange => ({
  events: eventsFrom(bytes, from),
  transient: decode(transient),
  complete: next === undefined,
});

const eventsFrom = (bytes: Uint8Array, from: number): readonly ProtoEvent[] =>
  decode(bytes).filter((event) => eventIdOf(event) >= from);
