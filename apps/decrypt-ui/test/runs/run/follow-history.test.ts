import type { HistoryFrame } from '@temporal-kms/codec-api';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { followHistory } from '../../../src/runs/run/follow-history.ts';
import { ApiFailure } from '../../../src/session/server/failure.ts';
import { openTestPort } from '../../fixtures/history.ts';
import { FixtureRun } from '../../fixtures/run.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function events(count: number) {
  const run = new FixtureRun({ workflowId: 'w' });
  for (let index = 0; index < count; index += 1)
    run.add('WorkflowExecutionSignaled', index, { signalName: `s${index}` });
  return run.events;
}

async function* lines(frames: readonly (HistoryFrame | Error)[]) {
  for (const frame of frames) {
    if (frame instanceof Error) throw frame;
    yield new TextEncoder().encode(`${JSON.stringify(frame)}\n`);
  }
}

const streamOf = (chunks: AsyncGenerator<Uint8Array<ArrayBuffer>>) =>
  new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });

test('opens another stream with a newer token when the first stream’s token has expired', async () => {
  const all = events(2);
  const streams: HistoryFrame[][] = [
    [
      { type: 'events', events: all.slice(0, 1) },
      { type: 'end', reason: 'signed_out', after: 1 },
    ],
    [
      { type: 'events', events: all.slice(1) },
      { type: 'end', reason: 'complete', after: 2 },
    ],
  ];
  const opened: number[] = [];
  let renewals = 0;
  const follower = followHistory({
    source: {
      open: async (after) => {
        opened.push(after);
        return streamOf(lines(streams[opened.length - 1] ?? []));
      },
      renewed: async () => {
        renewals += 1;
      },
    },
    openPort: openTestPort,
  });
  follower.start();
  await vi.advanceTimersByTimeAsync(500);
  expect(opened).toEqual([0, 1]);
  expect(renewals).toBe(1);
  expect(follower.store.getState()).toMatchObject({ phase: 'complete' });
  expect(follower.store.getState().history.events).toHaveLength(2);
});

/**
 * Returns a follower whose streams yield the given frames, one list per connection. If a list begins with an error, the
 * connection fails with it.
 */
function setUp(...turns: (HistoryFrame | Error)[][]) {
  const opened: number[] = [];
  const follower = followHistory({
    source: {
      open: async (after) => {
        opened.push(after);
        const frames = turns[opened.length - 1] ?? [];
        const [first] = frames;
        if (first instanceof Error) throw first;
        return streamOf(lines(frames));
      },
    },
    openPort: openTestPort,
    throttle: 10,
    retryFirst: 100,
    retryMost: 400,
  });
  follower.start();
  // Reports, like a page, that the events have been drawn, but does so at once.
  follower.drawn();
  return { follower, opened };
}

test('reconnects when a stream ends without its last frame, and continues after the last durable event', async () => {
  const all = events(5);
  const { follower, opened } = setUp(
    [{ type: 'events', events: all.slice(0, 3) }],
    [
      { type: 'events', events: all.slice(3) },
      { type: 'end', reason: 'complete', after: 5 },
    ],
  );
  await vi.advanceTimersByTimeAsync(500);
  expect(opened).toEqual([0, 3]);
  expect(follower.store.getState().history.events).toHaveLength(5);
  expect(follower.store.getState().phase).toBe('complete');
});

test('waits at most 300 ms for the first events to be drawn before it opens another stream', async () => {
  const opened: number[] = [];
  const all = events(3);
  const start = () => {
    const follower = followHistory({
      source: {
        open: async (after) => {
          opened.push(after);
          const frame = { type: 'events' as const, events: all.slice(after, after + 1) };
          return streamOf(lines([frame, { type: 'end', reason: 'limit', after: after + 1 }]));
        },
      },
      openPort: openTestPort,
    });
    follower.start();
    return follower;
  };
  const follower = start();
  await vi.advanceTimersByTimeAsync(200);
  expect(follower.store.getState()).toMatchObject({ phase: 'loading', history: { events: [all[0]] } });
  expect(opened).toEqual([0]);
  follower.drawn();
  await vi.advanceTimersByTimeAsync(60);
  expect(opened).toEqual([0, 1]);
  follower.stop();

  opened.length = 0;
  const unseen = start();
  await vi.advanceTimersByTimeAsync(290);
  expect(opened).toEqual([0]);
  await vi.advanceTimersByTimeAsync(70);
  expect(opened).toEqual([0, 1]);
  unseen.stop();
});

test('continues after the last durable event when it reconnects, even if a later event is not durable', async () => {
  const all = events(3);
  const { opened } = setUp([{ type: 'events', events: [all[0]!, { ...all[1]!, durable: false }] }], []);
  await vi.advanceTimersByTimeAsync(100);
  expect(opened.slice(0, 2)).toEqual([0, 1]);
});

test('reports a broken connection, waits longer after each attempt, and clears the failure on reconnection', async () => {
  const cut = new ApiFailure('unreachable', 'cut');
  const { follower, opened } = setUp(
    [cut],
    [cut],
    [{ type: 'events', events: events(1) }, { type: 'heartbeat' }],
  );
  await vi.advanceTimersByTimeAsync(50);
  expect(follower.store.getState()).toMatchObject({ phase: 'retrying', failure: { code: 'unreachable' } });
  await vi.advanceTimersByTimeAsync(60);
  expect(opened).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(150);
  expect(opened).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(100);
  expect(opened.length).toBeGreaterThanOrEqual(3);
  expect(follower.store.getState().failure).toBeUndefined();
});

test('opens another stream after the last durable event when a stream has a gap', async () => {
  const all = events(6);
  const { follower, opened } = setUp(
    [
      { type: 'events', events: all.slice(0, 2) },
      { type: 'events', events: all.slice(4) },
    ],
    [
      { type: 'events', events: all.slice(2) },
      { type: 'end', reason: 'complete', after: 6 },
    ],
  );
  await vi.advanceTimersByTimeAsync(500);
  expect(opened).toEqual([0, 2]);
  expect(follower.store.getState().history.events.map((event) => event.eventId)).toEqual([1, 2, 3, 4, 5, 6]);
});

test('does not reconnect after a permanent error', async () => {
  const { follower, opened } = setUp([new ApiFailure('not_found', 'No such run.')]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(opened).toEqual([0]);
  expect(follower.store.getState()).toMatchObject({ phase: 'failed', failure: { code: 'not_found' } });
});

test('continues immediately, without a failure, when the server reaches a limit or shuts down', async () => {
  const all = events(2);
  const { follower, opened } = setUp(
    [
      { type: 'events', events: all.slice(0, 1) },
      { type: 'end', reason: 'limit', after: 1 },
    ],
    [
      { type: 'events', events: all.slice(1) },
      { type: 'end', reason: 'complete', after: 2 },
    ],
  );
  await vi.advanceTimersByTimeAsync(200);
  expect(opened).toEqual([0, 1]);
  expect(follower.store.getState()).toMatchObject({ phase: 'complete' });
});

test('continues where it stopped when it is started again', async () => {
  const all = events(4);
  const { follower, opened } = setUp(
    [{ type: 'events', events: all.slice(0, 2) }, { type: 'heartbeat' }],
    [
      { type: 'events', events: all.slice(2) },
      { type: 'end', reason: 'complete', after: 4 },
    ],
  );
  await vi.advanceTimersByTimeAsync(20);
  follower.stop();
  follower.start();
  await vi.advanceTimersByTimeAsync(200);
  expect(opened).toEqual([0, 2]);
  expect(follower.store.getState().history.events).toHaveLength(4);
});

/**
 * Returns a follower of streams that send their frames and then stay open. If there is an error in place of frames, the
 * connection fails with it.
 */
function setUpSilent(silence: number | undefined, ...turns: (HistoryFrame[] | Error)[]) {
  const opened: number[] = [];
  const network = new EventTarget();
  let closed = 0;
  const follower = followHistory({
    source: {
      ...(silence !== undefined && { silence }),
      open: async (after) => {
        opened.push(after);
        const frames = turns[opened.length - 1] ?? [];
        if (frames instanceof Error) throw frames;
        return new ReadableStream({
          start(controller) {
            for (const frame of frames)
              controller.enqueue(new TextEncoder().encode(`${JSON.stringify(frame)}\n`));
          },
          cancel: () => {
            closed += 1;
          },
        });
      },
    },
    openPort: openTestPort,
    retryFirst: 100,
    retryMost: 60_000,
    network,
  });
  follower.start();
  follower.drawn();
  const phase = () => follower.store.getState().phase;
  return { follower, opened, network, phase, closed: () => closed };
}
const beat: HistoryFrame = { type: 'heartbeat' };
const cut = new ApiFailure('unreachable', 'cut');

test('treats a stream that is silent for too long as broken, and opens another stream', async () => {
  const { opened, phase, closed } = setUpSilent(30_000, [beat], cut, [beat]);
  await vi.advanceTimersByTimeAsync(29_000);
  expect(phase()).toBe('live');
  expect(opened).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1_150);
  expect(opened).toHaveLength(2);
  expect(closed()).toBe(1);
  expect(phase()).toBe('retrying');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(phase()).toBe('live');
});

test('accepts silence from a source without heartbeats', async () => {
  const { opened, network } = setUpSilent(undefined, [beat]);
  await vi.advanceTimersByTimeAsync(120_000);
  network.dispatchEvent(new Event('offline'));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(opened).toHaveLength(1);
});

test('is disconnected while the browser is offline, and live again as soon as it is online', async () => {
  const { opened, network, phase } = setUpSilent(30_000, [beat], cut, cut, cut, cut, cut, [beat]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(phase()).toBe('live');
  network.dispatchEvent(new Event('offline'));
  await vi.advanceTimersByTimeAsync(5_000);
  expect(phase()).toBe('retrying');
  expect(opened).toHaveLength(6);
  network.dispatchEvent(new Event('online'));
  await vi.advanceTimersByTimeAsync(50);
  expect(phase()).toBe('live');
});

test('stays live if a server on this machine answers while the browser is offline', async () => {
  const { network, phase } = setUpSilent(30_000, [beat], [beat]);
  await vi.advanceTimersByTimeAsync(1_000);
  network.dispatchEvent(new Event('offline'));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(phase()).toBe('live');
});

test('opens no further stream after it has been stopped', async () => {
  const { follower, opened, network } = setUpSilent(30_000, [beat], [beat]);
  await vi.advanceTimersByTimeAsync(1_000);
  follower.stop();
  network.dispatchEvent(new Event('offline'));
  network.dispatchEvent(new Event('online'));
  await vi.advanceTimersByTimeAsync(120_000);
  expect(opened).toHaveLength(1);
});
