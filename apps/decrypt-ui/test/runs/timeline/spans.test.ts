import { describe, expect, test } from 'vitest';
import { pendingWork } from '@temporal-kms/histories/events';
import { groupSpans } from '../../../src/runs/timeline/spans.ts';
import { createHistoryBuilder } from '../../fixtures/history.ts';
import { FixtureRun } from '../../fixtures/run.ts';

function groupOf(write: (run: FixtureRun) => void) {
  const run = new FixtureRun({ workflowId: 'w', start: 1_000_000 });
  write(run);
  const builder = createHistoryBuilder();
  builder.append(run.events);
  return { group: builder.snapshot().groups[0]!, run };
}
const shapes = (spans: ReturnType<typeof groupSpans>) =>
  spans.map(({ kind, from, to, outcome }) => [kind, from - 1_000_000, to - 1_000_000, outcome]);
const closed = { now: 1_100_000, runOpen: false };
const open = { now: 1_100_000, runOpen: true };

describe('the waterfall', () => {
  test('shows an activity without retries as waiting and then running', () => {
    const { group } = groupOf((run) => {
      run.add('ActivityTaskScheduled', 0, { activityId: 'a' });
      run.add('ActivityTaskStarted', 300, { scheduledEventId: '1', attempt: 1 });
      run.add('ActivityTaskCompleted', 1000, { scheduledEventId: '1' });
    });
    expect(shapes(groupSpans(group, closed))).toEqual([
      ['leg', 0, 300, 'ok'],
      ['bar', 300, 1000, 'ok'],
    ]);
  });

  test('shows the time before the last attempt of a retried activity as unrecorded, not as waiting', () => {
    const { group } = groupOf((run) => {
      run.add('ActivityTaskScheduled', 0, { activityId: 'a' });
      run.add('ActivityTaskStarted', 40_000, { scheduledEventId: '1', attempt: 5 });
      run.add('ActivityTaskFailed', 48_000, { scheduledEventId: '1' });
    });
    expect(shapes(groupSpans(group, closed))).toEqual([
      ['unrecorded', 0, 40_000, 'failed'],
      ['bar', 40_000, 48_000, 'failed'],
    ]);
  });

  test('shows a retrying activity as running until now, with a tick for each observed attempt', () => {
    const { group, run } = groupOf((made) => made.add('ActivityTaskScheduled', 0, { activityId: 'a' }));
    run.details = {
      pendingActivities: [
        {
          activityId: 'a',
          state: 'PENDING_ACTIVITY_STATE_SCHEDULED',
          attempt: 3,
          lastStartedTime: '1970-01-01T00:17:20Z',
        },
      ],
    };
    const [pending] = pendingWork(run.description);
    const spans = groupSpans(group, { ...open, pending, attemptsSeen: [1_020_000, 1_040_000] });
    expect(shapes(spans)).toEqual([
      ['open', 0, 100_000, 'pending'],
      ['tick', 20_000, 20_000, 'pending'],
      ['tick', 40_000, 40_000, 'pending'],
    ]);
  });

  test('draws unfinished work of a closed run up to the run’s end, without an outcome', () => {
    const activity = groupOf((run) => run.add('ActivityTaskScheduled', 0, { activityId: 'a' })).group;
    expect(shapes(groupSpans(activity, closed))).toEqual([['unrecorded', 0, 100_000, 'neutral']]);
    const child = groupOf((run) => {
      run.add('StartChildWorkflowExecutionInitiated', 0, { workflowId: 'child' });
      run.add('ChildWorkflowExecutionStarted', 300, { initiatedEventId: '1' });
    }).group;
    expect(shapes(groupSpans(child, closed)).at(-1)).toEqual(['bar', 300, 100_000, 'neutral']);
  });

  test('never draws a bar with a negative width, even if the timestamps contradict the order of the events', () => {
    const { group } = groupOf((run) => {
      run.add('ActivityTaskScheduled', 500, { activityId: 'a' });
      run.add('ActivityTaskStarted', 100, { scheduledEventId: '1', attempt: 1 });
      run.add('ActivityTaskCompleted', 900, { scheduledEventId: '1' });
    });
    for (const { from, to } of groupSpans(group, closed)) expect(to).toBeGreaterThanOrEqual(from);
  });

  test('shows timers as outlines, signals as points, and events that are not durable as hollow points', () => {
    const timer = groupOf((run) => run.add('TimerStarted', 0, { startToFireTimeout: '600s' })).group;
    expect(shapes(groupSpans(timer, open))).toEqual([['timer-open', 0, 100_000, 'pending']]);
    expect(shapes(groupSpans(timer, closed))).toEqual([['timer', 0, 100_000, 'neutral']]);
    const signal = groupOf((run) => run.add('WorkflowExecutionSignaled', 7, {})).group;
    expect(shapes(groupSpans(signal, open))).toEqual([['point', 7, 7, 'neutral']]);
    const task = groupOf((run) => run.add('WorkflowTaskScheduled', 9, {}, { durable: false })).group;
    expect(shapes(groupSpans(task, open))).toEqual([['hollow', 9, 9, 'neutral']]);
  });
});
