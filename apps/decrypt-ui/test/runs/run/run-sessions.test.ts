import { QueryClient } from '@tanstack/react-query';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPlaintextCache } from '../../../src/payloads/reveal/plaintext-cache.ts';
import { createReveals } from '../../../src/payloads/reveal/reveals.ts';
import { createRunSessions } from '../../../src/runs/run/run-sessions.ts';
import type { RunAddress } from '../../../src/session/server/addresses.ts';
import { openTestPort } from '../../fixtures/history.ts';
import { FixtureRun } from '../../fixtures/run.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const rows = { search: {}, count: 20 };
const address = (workflowId: string): RunAddress => ({ namespace: 'n', workflowId, runId: 'r' });

function runOf(workflowId: string) {
  const run = new FixtureRun({ workflowId });
  for (let index = 0; index < Number(workflowId); index += 1) {
    run.add('WorkflowExecutionSignaled', index, { signalName: `s${index}` });
  }
  return run;
}

function notAsked(): never {
  throw new Error('No test decodes or searches payloads.');
}

/** Returns sessions whose runs have as many events as the number in their workflow id. */
function setUp() {
  const opened: string[] = [];
  const aborted: string[] = [];
  const api = {
    decode: notAsked,
    search: notAsked,
    describe: async (_: string, workflowId: string) => runOf(workflowId).description,
    history: async ({ workflowId }: RunAddress, { after }: { after: number }, signal: AbortSignal) => {
      signal.addEventListener('abort', () => aborted.push(workflowId));
      opened.push(`${workflowId} after ${after}`);
      const { events } = runOf(workflowId);
      const frames = [{ type: 'events', events: events.slice(after) }, { type: 'heartbeat' }];
      const text = frames.map((frame) => `${JSON.stringify(frame)}\n`).join('');
      // A live stream stays open.
      return new ReadableStream<Uint8Array<ArrayBuffer>>({
        start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
      });
    },
  };
  const plaintext = createPlaintextCache();
  const sessions = createRunSessions({
    api,
    queries: new QueryClient(),
    plaintext,
    reveals: createReveals({ plaintext, access: { can: () => true, reveal: () => 'automatic' } }),
    openPort: openTestPort,
  });
  return { sessions, opened, aborted };
}

const eventsOf = (sessions: ReturnType<typeof setUp>['sessions'], workflowId: string) =>
  sessions.get(address(workflowId)).history.getState().history.events.length;

test('loads several runs at once, each with its own history, description and search', async () => {
  const { sessions } = setUp();
  const leave = ['3', '7'].map((workflowId) => sessions.use(address(workflowId)));
  await vi.advanceTimersByTimeAsync(200);
  expect([eventsOf(sessions, '3'), eventsOf(sessions, '7')]).toEqual([3, 7]);
  expect(sessions.get(address('7')).store.getState().description?.workflow.workflowId).toBe('7');
  sessions.get(address('7')).find.setTerm('s6');
  await vi.advanceTimersByTimeAsync(0);
  expect([...(sessions.get(address('7')).find.store.getState().matches?.keys() ?? [])]).toEqual([7]);
  expect(sessions.get(address('3')).find.store.getState().matches).toBeUndefined();
  for (const stop of leave) stop();
});

test('keeps a run for a while after it leaves the screen, and continues where it stopped', async () => {
  const { sessions, opened } = setUp();
  const leave = sessions.use(address('4'));
  await vi.advanceTimersByTimeAsync(200);
  const session = sessions.get(address('4'));
  leave();
  await vi.advanceTimersByTimeAsync(1000);
  expect(sessions.get(address('4'))).toBe(session);
  const again = sessions.use(address('4'));
  await vi.advanceTimersByTimeAsync(200);
  expect(opened).toEqual(['4 after 0', '4 after 4']);
  again();
  await vi.advanceTimersByTimeAsync(25_000);
  expect(sessions.get(address('4'))).not.toBe(session);
});

test('lets the page use a run that is already loading, without a second stream', async () => {
  const { sessions, opened } = setUp();
  sessions.preload(address('5'), rows);
  await vi.advanceTimersByTimeAsync(200);
  expect(eventsOf(sessions, '5')).toBe(5);
  const session = sessions.get(address('5'));
  const leave = sessions.use(address('5'));
  sessions.preload(address('5'), rows);
  await vi.advanceTimersByTimeAsync(25_000);
  expect(sessions.get(address('5'))).toBe(session);
  expect(opened).toEqual(['5 after 0']);
  leave();
  await vi.advanceTimersByTimeAsync(9_000);
  expect(sessions.get(address('5'))).toBe(session);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(sessions.get(address('5'))).not.toBe(session);
});

test('stops loading a preloaded run if no page uses it', async () => {
  const { sessions, opened, aborted } = setUp();
  sessions.preload(address('6'), rows);
  await vi.advanceTimersByTimeAsync(200);
  expect([opened, aborted]).toEqual([['6 after 0'], []]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(aborted).toEqual(['6']);
});

test('stops loading a run only after the last component that uses it has left', async () => {
  const { sessions, opened } = setUp();
  const [first, second] = [sessions.use(address('2')), sessions.use(address('2'))];
  await vi.advanceTimersByTimeAsync(200);
  first();
  first();
  await vi.advanceTimersByTimeAsync(25_000);
  expect(eventsOf(sessions, '2')).toBe(2);
  expect(opened).toEqual(['2 after 0']);
  second();
});
