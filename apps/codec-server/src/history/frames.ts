import { setTimeout as delay } from 'node:timers/promises';
import type { HistoryFrame } from '@temporal-kms/codec-api';
import type { Logger } from 'pino';
import { workflowContext } from './context.ts';
import { endOf } from './ending.ts';
import { eventIdOf, eventRow } from './event.ts';
import type { Lifetime } from './lifetime.ts';
import type { HistoryReader, Run } from './reader.ts';
import type { Inspect } from './stub.ts';

/** Shorter than what proxies take for a dead connection. */
const HEARTBEAT_MS = 10_000;

export interface FramesOptions {
  readonly reader: Pick<HistoryReader, 'read'>;
  readonly inspect: Inspect;
  readonly log: Logger;
  readonly run: Run;
  /** The last event that the caller has. */
  readonly after: number;
  /** Events that the history had when it was asked for. */
  readonly length: number;
  /** Go on waiting for new events until the run is closed. */
  readonly live: boolean;
  readonly lifetime: Lifetime;
  /** For tests. */
  readonly heartbeatMs?: number;
}

/** A history's lines: events page by page as they are read, and last an `end` that says why and after which event. */
export async function* historyFrames(options: FramesOptions): AsyncGenerator<HistoryFrame, void> {
  const { reader, inspect, log, run, length, live, lifetime } = options;
  const { signal } = lifetime;
  const own = workflowContext(run);
  let after = options.after;
  try {
    for (;;) {
      await lifetime.step();
      if (!live && after >= length) break;
      const reading = reader.read(run, after + 1, signal);
      for await (const _ of heartbeats(reading, options.heartbeatMs ?? HEARTBEAT_MS))
        yield { type: 'heartbeat' };
      const { events, transient, complete } = await reading;
      const rows = [...events, ...transient].map((event) => eventRow(event, own, inspect));
      if (rows.length > 0) yield { type: 'events', events: rows };
      const last = events.at(-1);
      if (last !== undefined) after = eventIdOf(last);
      if (complete || (last === undefined && !live)) break;
    }
    yield { type: 'end', reason: 'complete', after };
  } catch (error) {
    const end = endOf(error, lifetime, log, 'history');
    if (end !== undefined) yield { type: 'end', ...end, after };
  }
}

/** One every `ms` until the promise settles. */
async function* heartbeats(waited: Promise<unknown>, ms: number): AsyncGenerator<void> {
  const settled = new AbortController();
  const settle = (): void => settled.abort();
  waited.then(settle, settle);
  while (!settled.signal.aborted) {
    await delay(ms, undefined, { signal: settled.signal }).catch(() => undefined);
    if (!settled.signal.aborted) yield;
  }
}
