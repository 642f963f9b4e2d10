import type { HistoryEvent } from '@temporal-kms/codec-api';
import { groupEvents, millisOf } from '@temporal-kms/histories/events';
import { criticalPath } from '@temporal-kms/histories/why';
import { describe, expect, test } from 'vitest';
import { createHistoryIndexer } from '../../../src/runs/events/history-indexer.ts';
import { runTimes } from '../../../src/runs/indexer/run-times.ts';
import { alertRuns } from '../../fixtures/alerts.ts';
import { orderRun } from '../../fixtures/order-run.ts';
import { FixtureRun } from '../../fixtures/run.ts';
import { batchRun, failedRun, longRun, slowRun } from '../../fixtures/runs.ts';

const now = Date.parse('2026-11-24T13:00:00Z');

function timesOf(...frames: (readonly HistoryEvent[])[]) {
  const index = createHistoryIndexer();
  for (const frame of frames) index.append(frame);
  return runTimes(index.timed(), now);
}

/** Returns the critical path, computed from complete events that were grouped all at once. */
function pathOf(events: readonly HistoryEvent[]) {
  const all = events.map((event) => ({ ...event, at: millisOf(event.eventTime) ?? 0 }));
  const { steps, total } = criticalPath({ events: all, groups: groupEvents(all), now });
  return { steps, total };
}

describe('runTimes', () => {
  test.each([
    orderRun,
    batchRun,
    failedRun,
    slowRun,
    (at: number) => longRun(at, 300),
    (at: number) => alertRuns(at)[4]!,
  ])('finds the same critical path as it would with all attributes of the events: %o', (make) => {
    const { events } = make(now);
    expect(timesOf(events).path).toEqual(pathOf(events));
    const half = Math.floor(events.length / 2);
    expect(timesOf(events.slice(0, half), events.slice(half)).path).toEqual(pathOf(events));
  });

  test('finds the step that waited for a worker', () => {
    const { path } = timesOf(slowRun(now).events);
    expect(path.steps.find(({ group }) => group === 5)).toEqual({
      group: 5,
      work: 19_800,
      queue: 40_000,
      retry: 0,
      idle: 0,
    });
  });

  test('drops the times of an event that a later event replaced', () => {
    const replaced = new FixtureRun({ workflowId: 'w' });
    replaced.add('WorkflowExecutionStarted', 0);
    replaced.add('WorkflowTaskScheduled', 90_000, {}, { durable: false });
    const later = new FixtureRun({ workflowId: 'w' });
    later.add('WorkflowExecutionStarted', 0);
    later.add('WorkflowExecutionTerminated', 10);
    const { path } = timesOf(replaced.events, later.events);
    expect(path.total).toEqual({ work: 0, queue: 0, retry: 0, idle: 10 });
  });

  test('summarizes how long the activities of a type took from scheduling to end', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    run.add('WorkflowExecutionStarted', 0);
    const add = (type: string, from: number, to?: number, end = 'ActivityTaskCompleted') => {
      const id = run.add('ActivityTaskScheduled', from, {
        activityId: `${run.events.length}`,
        activityType: { name: type },
      });
      if (to === undefined) return;
      // Temporal records the start of an activity only when the activity ends.
      run.add('ActivityTaskStarted', to - 1, { scheduledEventId: String(id), attempt: 1 });
      run.add(end, to, { scheduledEventId: String(id) });
    };
    add('pay', 100, 400);
    add('pay', 200, 300, 'ActivityTaskFailed');
    add('ship', 0, 5000);
    add('pay', 1000, 2000, 'ActivityTaskTimedOut');
    add('pay', 3000);
    add('later', 3000);
    add('pay', 0, 200, 'ActivityTaskCanceled');
    expect(timesOf(run.events).activities).toEqual([
      {
        type: 'ship',
        count: 1,
        failed: 0,
        open: 0,
        shortest: 5000,
        median: 5000,
        p95: 5000,
        longest: 5000,
        slowest: 8,
        marks: [5000],
      },
      {
        type: 'pay',
        count: 4,
        failed: 2,
        open: 1,
        shortest: 100,
        median: 250,
        p95: 1000,
        longest: 1000,
        slowest: 11,
        marks: [100, 200, 300, 1000],
      },
    ]);
  });

  test('marks only a few hundred of many durations, but always the longest', () => {
    const [pay] = timesOf(batchRun(now).events).activities;
    expect(pay).toMatchObject({ type: 'pay', count: 901, failed: 1, median: 60, p95: 60 });
    expect(pay!.marks.length).toBeGreaterThan(100);
    expect(pay!.marks.length).toBeLessThanOrEqual(200);
    expect(pay!.marks.at(-1)).toBe(pay!.longest);
  });
});
