import type { HistoryFrame } from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import { historyFrames } from '../../src/history/history-stream.ts';
import type { EventRange } from '../../src/history/reader.ts';
import { HttpError } from '../../src/errors.ts';
import { keptLog } from '../support/kept-log.ts';
import { memory, never } from '../support/memory.ts';

const event = (eventId: number): any => ({ eventId, eventType: 26, taskId: 1 });
const range = (events: any[], complete: boolean): EventRange => ({ events, transient: [], complete });

/** Starts a history stream whose reader returns these ranges of events, one after the other. */
function follow(
  reads: (() => Promise<EventRange>)[],
  more: { live?: boolean; length?: number; limit?: number; checkpoint?: () => Promise<void> } = {},
) {
  const { log, lines } = keptLog();
  const requested: number[] = [];
  const frames = historyFrames({
    reader: {
      read: async (_, from) => {
        requested.push(from);
        return reads[requested.length - 1]!();
      },
    },
    inspect: () => ({ format: 'plain', encoding: '', bytes: 0 }),
    log,
    run: { namespace: 'n', workflowId: 'w', runId: 'r' },
    after: 0,
    length: more.length ?? 2,
    limit: more.limit,
    live: more.live ?? true,
    lifetime: {
      signal: never,
      interruption: () => undefined,
      checkpoint: more.checkpoint ?? (async () => undefined),
      memory,
    },
    heartbeatMs: 20,
  });
  return { frames, requested, lines };
}

const eventsIn = (frames: readonly HistoryFrame[]) =>
  frames.flatMap((frame) => (frame.type === 'events' ? frame.events : []));
const at = (eventId: number, seconds: number): any => ({ ...event(eventId), eventTime: { seconds } });
const task = (eventId: number, durable: boolean): any => ({ eventId, eventType: 5, taskId: durable ? 1 : 0 });

describe('historyFrames', () => {
  it('sends heartbeats while no event arrives, and continues after the last durable event', async () => {
    const late = Promise.withResolvers<EventRange>();
    const { frames, requested } = follow([
      async () => range([event(1), event(2)], false),
      () => late.promise,
    ]);
    const types: HistoryFrame['type'][] = [];
    for await (const { type } of frames) {
      types.push(type);
      if (types.filter((each) => each === 'heartbeat').length === 2) late.resolve(range([event(3)], true));
    }
    expect([types[0], ...types.slice(-2)]).toEqual(['events', 'events', 'end']);
    expect(types.slice(1, -2).length).toBeGreaterThan(1);
    expect(new Set(types.slice(1, -2))).toEqual(new Set(['heartbeat']));
    expect(requested).toEqual([1, 3]);
  });

  it('reads the history again if no event arrived during the wait', async () => {
    const { frames, requested } = follow([
      async () => range([event(1)], false),
      async () => range([], false),
      async () => range([event(2)], true),
    ]);
    expect((await Array.fromAsync(frames)).at(-1)).toEqual({ type: 'end', reason: 'complete', after: 2 });
    expect(requested).toEqual([1, 2, 2]);
  });

  it('does not wait for new events without `live`', async () => {
    const { frames, requested } = follow([async () => range([event(1), event(2)], false)], { live: false });
    expect((await Array.fromAsync(frames)).at(-1)).toEqual({ type: 'end', reason: 'complete', after: 2 });
    expect(requested).toEqual([1]);
  });

  it('ends with the error, and the event from which to continue, when Temporal fails', async () => {
    const { frames } = follow([
      async () => range([event(1)], false),
      async () => {
        throw new HttpError(503, 'temporal_unavailable', 'Temporal does not answer; try again.');
      },
    ]);
    expect((await Array.fromAsync(frames)).at(-1)).toEqual({
      type: 'end',
      reason: 'error',
      after: 1,
      message: 'Temporal does not answer; try again.',
    });
  });

  it('reveals no detail of an unexpected error to the client or in the log', async () => {
    const { frames, lines } = follow([
      async () => {
        throw new Error('secret-detail');
      },
    ]);
    const all = JSON.stringify(await Array.fromAsync(frames));
    expect(all).toContain('"reason":"error"');
    expect(all + lines.join('')).not.toContain('secret-detail');
    expect(lines).toHaveLength(1);
  });

  it('marks the events of a workflow task in progress as not durable, and reads them again', async () => {
    const { frames, requested } = follow([
      async () => ({ events: [event(1)], transient: [task(2, false), task(3, false)], complete: false }),
      async () => range([task(2, true), event(3)], true),
    ]);
    const all = await Array.fromAsync(frames);
    expect(eventsIn(all).map(({ eventId, eventType, durable }) => [eventId, eventType, durable])).toEqual([
      [1, 26, true],
      [2, 5, false],
      [3, 5, false],
      [2, 5, true],
      [3, 26, true],
    ]);
    expect(requested).toEqual([1, 2]);
    expect(all.at(-1)).toEqual({ type: 'end', reason: 'complete', after: 3 });
  });

  it('sends a long page in frames of at most 250 events, and adds the events of a task in progress to the last frame', async () => {
    const events = Array.from({ length: 501 }, (_, index) => event(index + 1));
    const { frames } = follow(
      [async () => ({ events, transient: [task(502, false), task(503, false)], complete: false })],
      { live: false, length: 501 },
    );
    const all = await Array.fromAsync(frames);
    const ids = all.flatMap((frame) =>
      frame.type === 'events' ? [frame.events.map(({ eventId }) => eventId)] : [],
    );
    expect(ids.map((each) => [each[0], each.at(-1)])).toEqual([
      [1, 250],
      [251, 500],
      [501, 503],
    ]);
    expect(ids.flat()).toEqual(Array.from({ length: 503 }, (_, index) => index + 1));
    expect(all.at(-1)).toEqual({ type: 'end', reason: 'complete', after: 501 });
  });

  it.each([
    [100, [100]],
    [250, [250]],
    [300, [250, 50]],
  ])('ends with the reason `limit` after %i events', async (limit, frames) => {
    const events = Array.from({ length: 501 }, (_, index) => event(index + 1));
    const stream = follow([async () => range(events, true)], { length: 501, limit });
    const all = await Array.fromAsync(stream.frames);
    expect(all.flatMap((frame) => (frame.type === 'events' ? [frame.events.length] : []))).toEqual(frames);
    expect(all.at(-1)).toEqual({ type: 'end', reason: 'limit', after: limit });
  });

  it('counts only durable events, and sends the events of a task in progress together with the last durable event', async () => {
    const events = [event(1), event(2)];
    const transient = [task(3, false), task(4, false)];
    const { frames } = follow([async () => ({ events, transient, complete: false })], { limit: 2 });
    const all = await Array.fromAsync(frames);
    expect(all.flatMap((frame) => (frame.type === 'events' ? [frame.events.length] : []))).toEqual([4]);
    expect(all.at(-1)).toEqual({ type: 'end', reason: 'limit', after: 2 });
  });

  it('reaches the end of a history that has fewer events than the limit', async () => {
    const { frames } = follow([async () => range([event(1), event(2)], true)], { length: 2, limit: 3 });
    expect((await Array.fromAsync(frames)).at(-1)).toEqual({ type: 'end', reason: 'complete', after: 2 });
  });

  it('names the last event that it sent if it must end within a page', async () => {
    const events = Array.from({ length: 600 }, (_, index) => event(index + 1));
    let left = 300;
    const { frames } = follow([async () => range(events, true)], {
      checkpoint: async () => {
        left -= 1;
        if (left === 0) throw new HttpError(503, 'busy', 'The server is busy; try again.');
      },
    });
    const all = await Array.fromAsync(frames);
    expect(all.map(({ type }) => type)).toEqual(['events', 'end']);
    expect(all.at(-1)).toMatchObject({ reason: 'error', after: 250 });
  });

  it('does not count, in the end frame, events that may still be replaced', async () => {
    const { frames } = follow(
      [async () => ({ events: [event(1)], transient: [task(2, false)], complete: false })],
      { live: false, length: 1 },
    );
    expect((await Array.fromAsync(frames)).at(-1)).toEqual({ type: 'end', reason: 'complete', after: 1 });
  });

  it('keeps event times unchanged, even if they decrease', async () => {
    const { frames } = follow([async () => range([at(1, 300), at(2, 200), at(3, 400)], true)]);
    const rows = eventsIn(await Array.fromAsync(frames));
    expect(rows.map(({ eventId, eventTime }) => [eventId, eventTime])).toEqual([
      [1, '1970-01-01T00:05:00Z'],
      [2, '1970-01-01T00:03:20Z'],
      [3, '1970-01-01T00:06:40Z'],
    ]);
  });
});
