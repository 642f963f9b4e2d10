import { setTimeout as delay } from 'node:timers/promises';
import type { HistoryEvent, HistoryFrame } from '@temporal-kms/codec-api';
import { eventIdOf, workflowContext } from '@temporal-kms/history-payloads';
import type { Logger } from 'pino';
import { historyEvent } from './event.ts';
import { readPage } from './event-pages.ts';
import type { HistoryReader, Run } from './reader.ts';
import { streamEnd, type StreamLifetime } from './stream-limits.ts';
import type { Inspect } from './payload-stub.ts';

/** Shorter than the idle timeouts of common proxies. */
const HEARTBEAT_MS = 10_000;

export interface HistoryStreamOptions {
  readonly reader: Pick<HistoryReader, 'read'>;
  readonly inspect: Inspect;
  readonly log: Logger;
  readonly run: Run;
  /** The last event that the caller already has. */
  readonly after: number;
  /** Number of events that the history had at the time of the request. */
  readonly length: number;
  /** Whether to wait for new events until the run is closed. */
  readonly live: boolean;
  readonly lifetime: StreamLifetime;
  /** For tests. */
  readonly heartbeatMs?: number;
}

/** Yields a history's events page by page, with stubs in place of payloads, and last an `end` frame with the reason. */
export async function* historyFrames(options: HistoryStreamOptions): AsyncGenerator<HistoryFrame, void> {
  const { reader, inspect, log, run, length, live, lifetime } = options;
  const home = workflowContext(run);
  let after = options.after;
  try {
    for (;;) {
      await lifetime.checkpoint();
      if (!live && after >= length) break;
      const reading = readPage(reader, run, after + 1, lifetime);
      try {
        for await (const _ of heartbeats(reading, options.heartbeatMs ?? HEARTBEAT_MS))
          yield { type: 'heartbeat' };
        const { events, transient, complete } = await reading;
        const written: HistoryEvent[] = [];
        for (const event of [...events, ...transient]) {
          await lifetime.checkpoint();
          written.push(await historyEvent(event, home, inspect, lifetime));
        }
        if (written.length > 0) yield { type: 'events', events: written };
        const last = events.at(-1);
        if (last !== undefined) after = eventIdOf(last);
        if (complete || (last === undefined && !live)) break;
      } finally {
        // The consumer may also have stopped while the page was read.
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
