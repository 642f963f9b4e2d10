import proto, { type temporal } from '@temporalio/proto';
import { LRUCache } from 'lru-cache';
import { HttpError } from '../errors.ts';
import type { TemporalService } from '../temporal/service.ts';
import { SharedCalls } from '../temporal/shared-calls.ts';
import { eventIdOf, isDurable, type ProtoEvent } from './event.ts';
import { type Page, RunPages } from './run-pages.ts';

export interface Run {
  readonly namespace: string;
  readonly workflowId: string;
  readonly runId: string;
}

/** A stretch of a history. */
export interface Stretch {
  /** Durable events, gapless from the one asked for; empty where the history has none yet. */
  readonly events: readonly ProtoEvent[];
  /** Events of a workflow task under way, behind the last durable one. */
  readonly transient: readonly ProtoEvent[];
  /** The run is closed, and nothing follows `events`. */
  readonly complete: boolean;
}

interface Fetched {
  readonly page: Page | undefined;
  readonly events: readonly ProtoEvent[];
  readonly transient: readonly ProtoEvent[];
  readonly next: Uint8Array | undefined;
}

export interface HistoryReaderOptions {
  /** Bytes of raw, still encrypted pages that are kept. */
  readonly maxBytes: number;
}

/** Temporal's own limit for a page, in batches of events; a power of four. */
const MAX_BATCHES = 256;

/** Each run's page tokens are some 100 KiB at most. */
const MAX_RUNS = 500;

/**
 * Reads histories by event id. Temporal can only be asked page after page, so pages that were read are kept, encrypted
 * as they came, and an event on an unknown page is walked to from the nearest one known: any process can answer any
 * request, some of them faster.
 */
export class HistoryReader {
  readonly #service: TemporalService;
  readonly #calls = new SharedCalls<Fetched>();
  readonly #bytes: LRUCache<Page, Uint8Array>;
  readonly #runs: LRUCache<string, RunPages>;
  /** Batches a page, for runs whose batches are heavy. */
  readonly #sizes = new LRUCache<string, number>({ max: MAX_RUNS });

  constructor(service: TemporalService, { maxBytes }: HistoryReaderOptions) {
    this.#service = service;
    this.#bytes = new LRUCache<Page, Uint8Array>({
      maxSize: maxBytes,
      sizeCalculation: (bytes) => bytes.length + 1,
    });
    this.#runs = new LRUCache<string, RunPages>({
      max: MAX_RUNS,
      dispose: (pages) => {
        for (const page of pages.all) this.#bytes.delete(page);
      },
    });
  }

  /**
   * Events from `from` on, a page at most. Where a running history ends before `from`, waits for about 20 s.
   * @throws HttpError `not_found` when the run is gone, `temporal_unavailable`
   */
  async read(run: Run, from: number, signal: AbortSignal): Promise<Stretch> {
    const key = `${run.namespace}\n${run.workflowId}\n${run.runId}`;
    try {
      return await this.#walk(run, key, from, signal);
    } catch (error) {
      if (!(error instanceof HttpError) || !this.#runs.has(key)) throw error;
      if (error.code === 'not_found') this.#runs.delete(key);
      if (error.code !== 'bad_request') throw error;
      // Temporal no longer takes a token that it gave (a reset branch, an upgrade): begin again without any.
      this.#runs.delete(key);
      return await this.#walk(run, key, from, signal);
    }
  }

  async #walk(run: Run, key: string, from: number, signal: AbortSignal): Promise<Stretch> {
    for (;;) {
      const page = this.#runs.get(key)?.nearest(from);
      const inside = page !== undefined && from <= page.last;
      const bytes = inside ? this.#bytes.get(page) : undefined;
      if (page !== undefined && bytes !== undefined) {
        const { events } = proto.temporal.api.history.v1.History.decode(bytes);
        return { events: starting(events, from), transient: [], complete: page.next === undefined };
      }
      if (page !== undefined && !inside && page.next === undefined) {
        return { events: [], transient: [], complete: true };
      }
      const token = inside ? page.token : page?.next;
      const first = inside ? page.first : (page?.last ?? 0) + 1;
      const fetched = await this.#calls.join(`${key}\n${first}`, signal, (shared) =>
        this.#fetch(run, key, page, token, shared),
      );
      const last = fetched.page?.last ?? 0;
      if (fetched.page === undefined || (fetched.page.first <= from && from <= last)) {
        const complete = fetched.next === undefined;
        return { events: starting(fetched.events, from), transient: fetched.transient, complete };
      }
    }
  }

  async #fetch(
    run: Run,
    key: string,
    after: Page | undefined,
    token: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<Fetched> {
    const response = await this.#ask(run, key, token, signal);
    const all = eventsOf(response);
    const events = all.filter(isDurable);
    const transient = all.filter((event) => !isDurable(event));
    // A copy: what gRPC gives is a view of the whole response, which would be kept as long as its token.
    const next = response.nextPageToken?.length ? new Uint8Array(response.nextPageToken) : undefined;
    const page = this.#remember(key, events, token, next, after);
    return { page, events, transient, next };
  }

  /**
   * Temporal counts a page in batches, 256 at most, whatever they weigh, and then can't send one that exceeds its own
   * limit on messages (temporalio/features#487). Such a run is read in smaller pages from then on.
   */
  async #ask(
    run: Run,
    key: string,
    token: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryResponse> {
    const { namespace, workflowId, runId } = run;
    let size = this.#sizes.get(key) ?? MAX_BATCHES;
    for (;;) {
      try {
        return await this.#service.history(
          {
            namespace,
            execution: { workflowId, runId },
            maximumPageSize: size,
            // Waits only at a running history's end, and only then gives a token to go on from there.
            waitNewEvent: true,
            ...(token === undefined ? {} : { nextPageToken: token }),
          },
          signal,
        );
      } catch (error) {
        if (!(error instanceof HttpError) || error.code !== 'too_large' || size === 1) throw error;
        size /= 4;
        this.#sizes.set(key, size);
      }
    }
  }

  #remember(
    key: string,
    events: readonly ProtoEvent[],
    token: Uint8Array | undefined,
    next: Uint8Array | undefined,
    after: Page | undefined,
  ): Page | undefined {
    const pages = this.#runs.get(key) ?? new RunPages();
    this.#runs.set(key, pages);
    const [head] = events;
    const tail = events.at(-1);
    if (head === undefined || tail === undefined) {
      if (after !== undefined) this.#move(after, pages.renew(after, next));
      return undefined;
    }
    const bytes = proto.temporal.api.history.v1.History.encode({ events: [...events] }).finish();
    const page = { first: eventIdOf(head), last: eventIdOf(tail), size: bytes.length, token, next };
    const { page: stands, joined, replaced } = pages.insert(page);
    for (const one of replaced) this.#bytes.delete(one);
    const before = joined === undefined ? undefined : this.#bytes.get(joined);
    if (joined !== undefined) this.#bytes.delete(joined);
    // Serialized messages with one repeated field, put one behind the other, are the message with both lists.
    if (joined === undefined) this.#bytes.set(stands, bytes);
    else if (before !== undefined) this.#bytes.set(stands, Buffer.concat([before, bytes]));
    return page;
  }

  #move(from: Page, to: Page): void {
    const bytes = this.#bytes.get(from);
    this.#bytes.delete(from);
    if (bytes !== undefined) this.#bytes.set(to, bytes);
  }
}

const starting = (events: readonly ProtoEvent[], from: number): readonly ProtoEvent[] =>
  events.filter((event) => eventIdOf(event) >= from);

/** A server with `frontend.sendRawWorkflowHistory` sends the events as the blobs that its store keeps. */
function eventsOf(
  response: temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryResponse,
): ProtoEvent[] {
  const { History } = proto.temporal.api.history.v1;
  const { ENCODING_TYPE_PROTO3 } = proto.temporal.api.enums.v1.EncodingType;
  const raw = (response.rawHistory ?? []).flatMap((blob): ProtoEvent[] => {
    if (blob.encodingType !== ENCODING_TYPE_PROTO3) {
      throw new HttpError(
        500,
        'internal',
        'Temporal sends this history in a form that this server does not read.',
      );
    }
    return History.decode(blob.data ?? new Uint8Array()).events;
  });
  return [...(response.history?.events ?? []), ...raw];
}
