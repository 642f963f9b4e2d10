import { setTimeout as delay } from 'node:timers/promises';
import type { HistoryEvent, HistoryFrame } from '@temporal-kms/codec-api';
import { type ProtoEvent, workflowContext } from '@temporal-kms/histories/payloads';
import type { Logger } from 'pino';
import { historyEvent } from './event.ts';
import { readPage } from './event-pages.ts';
import type { HistoryReader, Run } from './reader.ts';
import { streamEnd, type StreamLifetime } from './stream-limits.ts';
import type { Inspect } from './payload-stub.ts';

/** Interval of heartbeats; shorter than the idle timeouts of common proxies. */
const HEARTBEAT_MS = 10_000;

/**
 * Maximum number of durable events in a frame. A page from Temporal may have thousands of events; with
 * smaller frames, the caller can show the first frame while the server writes the next.
 */
const FRAME_EVENTS = 250;

export interface HistoryStreamOptions {
  readonly reader: Pick<HistoryReader, 'read'>;
  readonly inspect: Inspect;
  readonly log: Logger;
  readonly run: Run;
  /** The last event that the caller already has. */
  readonly after: number;
  /** Number of events in the history at the time of the request. */
  readonly length: number;
  /** The stream ends after this many durable events. */
  readonly limit?: number | undefined;
  /** Whether to wait for new events until the run is closed. */
  readonly live: boolean;
  readonly lifetime: StreamLifetime;
  /** Only tests set this interval. */
  readonly heartbeatMs?: number;
}

/**
 * Yields a history's events in order, with stubs in place of payloads, and finally an `end` frame with the
 * reason.
 */
export async function* historyFrames(options: HistoryStreamOptions): AsyncGenerator<HistoryFrame, void> {
  const { reader, inspect, log, run, length, live, lifetime } = options;
  const home = workflowContext(run);
  let { after, limit: left = Number.POSITIVE_INFINITY } = options;
  try {
    for (;;) {
      await lifetime.checkpoint();
      if (!live && after >= length) break;
      const reading = readPage(reader, run, after + 1, lifetime);
      try {
        for await (const _ of heartbeats(reading, options.heartbeatMs ?? HEARTBEAT_MS))
          yield { type: 'heartbeat' };
        const { events, transient, complete } = await reading;
        const wanted = events.slice(0, left);
        for (const part of frameParts(wanted, wanted.length === events.length ? transient : [])) {
          const written: HistoryEvent[] = [];
          for (const event of part) {
            await lifetime.checkpoint();
            written.push(await historyEvent(event, home, inspect, lifetime));
          }
          yield { type: 'events', events: written };
          after = written.findLast(({ durable }) => durable)?.eventId ?? after;
        }
        left -= wanted.length;
        if (left === 0) {
          yield { type: 'end', reason: 'limit', after };
          return;
        }
        if (complete || (events.length === 0 && !live)) break;
      } finally {
        // The consumer may have stopped while the page was read.
        reading.then(
          ({ release }) => release(),
          () => undefined,
        );
      }
    }
    yield { type: 'end', reason: 'complete', after };
  } catch (error) {
    const end = streamEnd(error, lifetime, log, 'history');
    if (end !== undefined) yield { type: 'end', ...end, after };
  }
}

/**
 * Yields the events of each frame. The last frame contains all transient events, because a later frame would
 * replace the transient events of an earlier frame.
 */
function* frameParts(
  events: readonly ProtoEvent[],
  transient: readonly ProtoEvent[],
): Generator<readonly ProtoEvent[], void> {
  let start = 0;
  for (; events.length - start > FRAME_EVENTS; start += FRAME_EVENTS)
    yield events.slice(start, start + FRAME_EVENTS);
  const last = [...events.slice(start), ...transient];
  if (last.length > 0) yield last;
}

/** Yields every `ms` milliseconds until the promise settles. */
async function* heartbeats(pending: Promise<unknown>, ms: number): AsyncGenerator<void> {
  const settled = new AbortController();
  const settle = (): void => settled.abort();
  pending.then(settle, settle);
  while (!settled.signal.aborted) {
    await delay(ms, undefined, { signal: settled.signal }).catch(() => undefined);
    if (!settled.signal.aborted) yield;
  }
}
