import { describe, expect, test } from 'vitest';
import { createHistoryBuilder } from '../../src/model/history.ts';
import { pendingWork } from '../../src/model/pending.ts';
import { groupSpans } from '../../src/model/spans.ts';
import { FixtureRun } from '../fixtures/run.ts';

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
  test('an activity that ran once: waiting, then running', () => {
    const { group } = groupOf((run) => {
      run.add(10, 0, { activityId: 'a' });
      run.add(11, 300, { scheduledEventId: '1', attempt: 1 });
      run.add(12, 1000, { scheduledEventId: '1' });
    });
    expect(shapes(groupSpans(group, closed))).toEqual([
      ['leg', 0, 300, 'ok'],
      ['bar', 300, 1000, 'ok'],
    ]);
  });

  test('one that was retried: what came before the last start is unrecorded, never waiting', () => {
    const { group } = groupOf((run) => {
      run.add(10, 0, { activityId: 'a' });
      run.add(11, 40_000, { scheduledEventId: '1', attempt: 5 });
      run.add(13, 48_000, { scheduledEventId: '1' });
    });
    expect(shapes(groupSpans(group, closed))).toEqual([
      ['unrecorded', 0, 40_000, 'failed'],
      ['bar', 40_000, 48_000, 'failed'],
    ]);
  });

  test('one that retries now: stripes to now, and a tick for each attempt that was seen', () => {
    const { group, run } = groupOf((made) => made.add(10, 0, { activityId: 'a' }));
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

  test('an event order that the clock contradicts makes no negative bar', () => {
    const { group } = groupOf((run) => {
      run.add(10, 500, { activityId: 'a' });
      run.add(11, 100, { scheduledEventId: '1', attempt: 1 });
      run.add(12, 900, { scheduledEventId: '1' });
    });
    for (const { from, to } of groupSpans(group, closed)) expect(to).toBeGreaterThanOrEqual(from);
  });

  test('timers are outlined, open ones to now; signals are moments; what is not durable is hollow', () => {
    const timer = groupOf((run) => run.add(17, 0, { startToFireTimeout: '600s' })).group;
    expect(shapes(groupSpans(timer, open))).toEqual([['timer-open', 0, 100_000, 'pending']]);
    expect(shapes(groupSpans(timer, closed))).toEqual([['point', 0, 0, 'neutral']]);
    const signal = groupOf((run) => run.add(26, 7, {})).group;
    expect(shapes(groupSpans(signal, open))).toEqual([['point', 7, 7, 'neutral']]);
    const task = groupOf((run) => run.add(5, 9, {}, { durable: false })).group;
    expect(shapes(groupSpans(task, open))).toEqual([['hollow', 9, 9, 'neutral']]);
  });
});
