import type { HistoryFrame } from '@temporal-kms/codec-api';
import { expect, test } from 'vitest';
import { historyFrames } from '../../src/history/history-stream.ts';
import type { EventRange } from '../../src/history/reader.ts';
import { HttpError } from '../../src/errors.ts';
import { collect } from '../support/lines.ts';
import { keptLog } from '../support/stack.ts';
import { memory } from '../support/memory.ts';

const never = new AbortController().signal;
const event = (eventId: number): any => ({ eventId, eventType: 26, taskId: 1 });
const range = (events: any[], complete: boolean): EventRange => ({ events, transient: [], complete });

/** Frames of a history whose reads give one answer after another. */
function follow(reads: (() => Promise<EventRange>)[], more: { live?: boolean; length?: number } = {}) {
  const { log, lines } = keptLog();
  const asked: number[] = [];
  const frames = historyFrames({
    reader: {
      read: async (_, from) => {
        asked.push(from);
        return reads[asked.length - 1]!();
      },
    },
    inspect: () => ({ format: 'plain', encoding: '', bytes: 0 }),
    log,
    run: { namespace: 'n', workflowId: 'w', runId: 'r' },
    after: 0,
    length: more.length ?? 2,
    live: more.live ?? true,
    lifetime: { signal: never, interruption: () => undefined, checkpoint: async () => undefined, memory },
    heartbeatMs: 20,
  });
  return { frames, asked, lines };
}

test('says that it lives while nothing comes, and goes on from the last durable event', async () => {
  const late = Promise.withResolvers<EventRange>();
  setTimeout(() => late.resolve(range([event(3)], true)), 110);
  const { frames, asked } = follow([async () => range([event(1), event(2)], false), () => late.promise]);
  const types = (await collect(frames)).map(({ type }: HistoryFrame) => type);
  expect([types[0], ...types.slice(-2)]).toEqual(['events', 'events', 'end']);
  expect(types.slice(1, -2).length).toBeGreaterThan(1);
  expect(new Set(types.slice(1, -2))).toEqual(new Set(['heartbeat']));
  expect(asked).toEqual([1, 3]);
});

test('asks again where a wait has brought nothing', async () => {
  const { frames, asked } = follow([
    async () => range([event(1)], false),
    async () => range([], false),
    async () => range([event(2)], true),
  ]);
  expect((await collect(frames)).at(-1)).toEqual({ type: 'end', reason: 'complete', after: 2 });
  expect(asked).toEqual([1, 2, 2]);
});

test('does not wait when it does not follow', async () => {
  const { frames, asked } = follow([async () => range([event(1), event(2)], false)], { live: false });
  expect((await collect(frames)).at(-1)).toEqual({ type: 'end', reason: 'complete', after: 2 });
  expect(asked).toEqual([1]);
});

test('ends with the reason, and where to go on, when Temporal fails in between', async () => {
  const { frames } = follow([
    async () => range([event(1)], false),
    async () => {
      throw new HttpError(503, 'temporal_unavailable', 'Temporal does not answer; try again.');
    },
  ]);
  expect((await collect(frames)).at(-1)).toEqual({
    type: 'end',
    reason: 'error',
    after: 1,
    message: 'Temporal does not answer; try again.',
  });
});

test('tells nothing of an unexpected fault, neither to the reader nor to the log', async () => {
  const { frames, lines } = follow([
    async () => {
      throw new Error('secret-detail');
    },
  ]);
  const all = JSON.stringify(await collect(frames));
  expect(all).toContain('"reason":"error"');
  expect(all + lines.join('')).not.toContain('secret-detail');
  expect(lines).toHaveLength(1);
});

const at = (eventId: number, seconds: number): any => ({ ...event(eventId), eventTime: { seconds } });
const task = (eventId: number, durable: boolean): any => ({ eventId, eventType: 5, taskId: durable ? 1 : 0 });

test('events of a workflow task under way are told as not durable, and asked for again', async () => {
  const { frames, asked } = follow([
    async () => ({ events: [event(1)], transient: [task(2, false), task(3, false)], complete: false }),
    async () => range([task(2, true), event(3)], true),
  ]);
  const all = await collect(frames);
  const rows = all.flatMap((frame) => (frame.type === 'events' ? frame.events : []));
  expect(rows.map(({ eventId, eventType, durable }) => [eventId, eventType, durable])).toEqual([
    [1, 26, true],
    [2, 5, false],
    [3, 5, false],
    [2, 5, true],
    [3, 26, true],
  ]);
  expect(asked).toEqual([1, 2]);
  expect(all.at(-1)).toEqual({ type: 'end', reason: 'complete', after: 3 });
});

test('an end never counts events that may still be replaced', async () => {
  const { frames } = follow(
    [async () => ({ events: [event(1)], transient: [task(2, false)], complete: false })],
    { live: false, length: 1 },
  );
  expect((await collect(frames)).at(-1)).toEqual({ type: 'end', reason: 'complete', after: 1 });
});

test('times come as they are, though an event may have happened before the one in front of it', async () => {
  const { frames } = follow([async () => range([at(1, 300), at(2, 200), at(3, 400)], true)]);
  const rows = (await collect(frames)).flatMap((frame) => (frame.type === 'events' ? frame.events : []));
  expect(rows.map(({ eventId, eventTime }) => [eventId, eventTime])).toEqual([
    [1, '1970-01-01T00:05:00Z'],
    [2, '1970-01-01T00:03:20Z'],
    [3, '1970-01-01T00:06:40Z'],
  ]);
});
