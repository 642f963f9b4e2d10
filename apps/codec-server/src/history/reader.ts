import { eventIdOf, isDurable, type ProtoEvent } from '@temporal-kms/history-payloads';
import proto, { type temporal } from '@temporalio/proto';
import { LRUCache } from 'lru-cache';
import { HttpError } from '../errors.ts';
import { boundHistory, decodedHistoryBytes } from '../temporal/bounded-responses.ts';
import type { TemporalService } from '../temporal/service.ts';
import { MAX_RUNS, type Page, PageCache } from './page-cache.ts';

export interface Run {
  readonly namespace: string;
  readonly workflowId: string;
  readonly runId: string;
}

/** Consecutive events of a history. */
export interface EventRange {
  /** Durable events without gaps, from the requested event on. Empty where the history has none yet. */
  readonly events: readonly ProtoEvent[];
  /** Events of a workflow task in progress, after the last durable event. They may still be replaced. */
  readonly transient: readonly ProtoEvent[];
  /** Whether the run is closed and `events` reaches its end. */
  readonly complete: boolean;
}

/** What a page read from Temporal contains; `page` is undefined if no durable event came. */
interface FetchedPage {
  readonly page: Page | undefined;
  readonly bytes: Uint8Array;
  readonly events: readonly ProtoEvent[];
  readonly transient: readonly ProtoEvent[];
  readonly next: Uint8Array | undefined;
}

/** Memory for decoded pages. `reserve` returns a promise if the memory is not available at once. */
export interface PageBudget {
  readonly reserve: (bytes: number) => void | Promise<void>;
}

type HistoryResponse = temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryResponse;

export interface HistoryReaderOptions {
  /** Upper limit for the bytes of cached pages. The pages are cached as Temporal stores them, still encrypted. */
  readonly maxBytes: number;
}

/** Temporal's own limit for a page, in batches of events. A power of four. */
const MAX_BATCHES = 256;

/**
 * Reads histories by event id. Temporal only reads page by page, so the reader caches pages and reaches an event on an
 * unknown page from the nearest known one. Any replica can therefore answer any request; a warm cache only makes it
 * faster.
 */
export class HistoryReader {
  readonly #service: TemporalService;
  readonly #pages: PageCache;
  readonly #fetches = new SingleFlight<FetchedPage>();
  /** Batches per page, for runs whose pages exceed Temporal's limit on messages. */
  readonly #batches = new LRUCache<string, number>({ max: MAX_RUNS });

  constructor(service: TemporalService, { maxBytes }: HistoryReaderOptions) {
    this.#service = service;
    this.#pages = new PageCache(maxBytes);
  }

  /**
   * Returns the events from `from` on, at most one page. If a running history ends before `from`, waits up to about 20 s
   * for a new event. Reserves the memory of the page before it decodes the events, or keeps them decoded.
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
      // Temporal rejects a token that it issued itself after a reset or an upgrade. Start over without tokens.
      this.#pages.delete(key);
      return await this.#walk(run, key, from, signal, budget);
    }
  }

  async #walk(
    run: Run,
    key: string,
    from: number,
    signal: AbortSignal,
    budget: PageBudget | undefined,
  ): Promise<EventRange> {
    for (;;) {
      const page = this.#pages.nearest(key, from);
      const contains = page !== undefined && from <= page.last;
      const bytes = contains ? this.#pages.bytesOf(page) : undefined;
      if (page !== undefined && bytes !== undefined) {
        await budget?.reserve(page.decodedBytes);
        return { events: eventsFrom(decode(bytes), from), transient: [], complete: page.next === undefined };
      }
      if (page !== undefined && !contains && page.next === undefined) {
        return { events: [], transient: [], complete: true };
      }
      const token = contains ? page.token : page?.next;
      const first = contains ? page.first : (page?.last ?? 0) + 1;
      const fetched = await this.#fetches.run(`${key}\n${first}`, signal, (shared) =>
        this.#fetch(run, key, page, token, shared),
      );
      const last = fetched.page?.last ?? 0;
      // No `await`: the frame of this function would keep the decoded events while they wait for memory.
      if (fetched.page === undefined || (fetched.page.first <= from && from <= last))
        return reservedRange(fetched, from, budget);
    }
  }

  /** @param after the last known page, whose token is renewed if no event follows it yet */
  async #fetch(
    run: Run,
    key: string,
    after: Page | undefined,
    token: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<FetchedPage> {
    const response = await this.#request(run, key, token, signal);
    const all = eventsOf(response);
    const events = all.filter(isDurable);
    const transient = all.filter((event) => !isDurable(event));
    // A copy: gRPC returns a view of the whole response, which the token would keep in memory.
    const next = response.nextPageToken?.length ? new Uint8Array(response.nextPageToken) : undefined;
    const [head] = events;
    const tail = events.at(-1);
    if (head === undefined || tail === undefined) {
      if (after !== undefined) this.#pages.renew(key, after, next);
      return { page: undefined, bytes: new Uint8Array(), events, transient, next };
    }
    const bytes = proto.temporal.api.history.v1.History.encode({ events }).finish();
    const page = {
      first: eventIdOf(head),
      last: eventIdOf(tail),
      size: bytes.length,
      decodedBytes: decodedHistoryBytes(bytes),
      token,
      next,
    };
    this.#pages.insert(key, page, bytes);
    return { page, bytes, events, transient, next };
  }

  /**
   * Temporal limits a page to 256 batches of events, whatever their size, and then fails to send a page that exceeds its
   * own limit on messages (temporalio/features#487). Such a run is read in smaller pages from then on.
   */
  async #request(
    run: Run,
    key: string,
    token: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<HistoryResponse> {
    const { namespace, workflowId, runId } = run;
    let batches = this.#batches.get(key) ?? MAX_BATCHES;
    for (;;) {
      try {
        return await this.#service.history(
          {
            namespace,
            execution: { workflowId, runId },
            maximumPageSize: batches,
            // Waits only at the end of a running history, and is the only way to get a token there.
            waitNewEvent: true,
            ...(token === undefined ? {} : { nextPageToken: token }),
          },
          signal,
        );
      } catch (error) {
        if (!(error instanceof HttpError) || error.code !== 'too_large' || batches === 1) throw error;
        batches /= 4;
        this.#batches.set(key, batches);
      }
    }
  }
}

const decode = (bytes: Uint8Array): readonly ProtoEvent[] =>
  proto.temporal.api.history.v1.History.decode(bytes).events;

/** Returns the events once their memory is reserved. While it waits, it holds only their encoded form. */
function reservedRange(
  { page, bytes, events, transient, next }: FetchedPage,
  from: number,
  budget: PageBudget | undefined,
): EventRange | Promise<EventRange> {
  const complete = next === undefined;
  const wait = page && budget?.reserve(page.decodedBytes);
  if (wait === undefined) return { events: eventsFrom(events, from), transient, complete };
  return wait.then(() => ({ events: eventsFrom(decode(bytes), from), transient, complete }));
}

const eventsFrom = (events: readonly ProtoEvent[], from: number): readonly ProtoEvent[] =>
  events.filter((event) => eventIdOf(event) >= from);

/** A server with `frontend.sendRawWorkflowHistory` sends events as the encoded blobs that it stores. */
function eventsOf(response: HistoryResponse): ProtoEvent[] {
  const { History } = proto.temporal.api.history.v1;
  const { ENCODING_TYPE_PROTO3 } = proto.temporal.api.enums.v1.EncodingType;
  const raw = (response.rawHistory ?? []).flatMap((blob): ProtoEvent[] => {
    if (blob.encodingType !== ENCODING_TYPE_PROTO3) {
      throw new HttpError(
        500,
        'internal',
        'Temporal sent this history in an encoding other than proto3, which this server cannot read.',
      );
    }
    return History.decode(boundHistory(blob.data ?? new Uint8Array())).events;
  });
  return [...(response.history?.events ?? []), ...raw];
}

interface Flight<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  callers: number;
}

/**
 * Lets concurrent callers with the same key share one call. A caller that aborts leaves the call running for the others;
 * when the last caller has aborted, the call is aborted too. Own code, since each caller must be able to cancel separately.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  async run(key: string, signal: AbortSignal, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#start(key, start);
    flight.callers += 1;
    try {
      return await unlessAborted(flight.promise, signal);
    } finally {
      flight.callers -= 1;
      if (flight.callers === 0 && this.#flights.get(key) === flight) {
        this.#flights.delete(key);
        flight.controller.abort();
      }
    }
  }

  #start(key: string, start: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const flight: Flight<T> = { promise: start(controller.signal), controller, callers: 0 };
    const forget = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    flight.promise.then(forget, forget);
    this.#flights.set(key, flight);
    return flight;
  }
}

/**
 * Resolves as `waited`, or rejects with the signal's reason once it is aborted. Adds one listener for this wait only:
 * `Promise.race` with a long-lived promise would collect one per wait.
 */
export async function unlessAborted<T>(waited: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  waited.then(resolve, reject);
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
