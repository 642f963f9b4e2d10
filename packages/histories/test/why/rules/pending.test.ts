import { describe, expect, it } from 'vitest';
import { explain } from '../../../src/why/explain.ts';
import type { WhyRun } from '../../../src/why/facts/run.ts';
import { application, pending, runOf, scheduled, START, started, time } from '../run.ts';

/** Returns a run whose activity is in the given state after the activity's worker was shut down. */
const interrupted = (state: string) =>
  runOf(
    [...started, scheduled],
    pending({ state, attempt: 2, lastFailure: application('WorkerShutdown', 'Worker is shutting down') }),
  );

const rulesOf = (run: WhyRun) => explain(run).findings.map(({ rule }) => rule);

describe('the rules about open steps', () => {
  it('reports an activity as in progress if it runs again after its worker was shut down', () => {
    const [found] = explain(interrupted('PENDING_ACTIVITY_STATE_STARTED')).findings;
    expect(found).toMatchObject({ rule: 'activity-open', attempt: 2, cause: undefined });
    expect(rulesOf(interrupted('PENDING_ACTIVITY_STATE_SCHEDULED'))).toEqual(['activity-retries']);
  });

  it('distinguishes workers that poll for workflow tasks from workers that poll for activities', () => {
    const queue = { name: 'pay', kind: 'workflow', polling: false } as const;
    const work = pending({ state: 'PENDING_ACTIVITY_STATE_SCHEDULED', attempt: 1, scheduledTime: time(4) });
    const soon = { ...runOf([...started, scheduled], work), now: START + 5000 };
    expect(rulesOf({ ...soon, queues: [queue] })).toEqual(['activity-open']);
    expect(rulesOf({ ...soon, queues: [queue, { ...queue, kind: 'activity' }] })).toEqual([
      'activity-not-taken',
    ]);
  });

  it('reads only the messages and stack traces of the findings that it returns', () => {
    const pendingActivities = Array.from({ length: 2000 }, (_, n) => ({
      activityId: String(n),
      attempt: 2,
      lastFailure: application('Declined', '', {}, `${n}:0`),
    }));
    const read = new Set<string>();
    const { more } = explain(
      runOf(started, {
        details: { pendingActivities },
        read: (ref) => {
          read.add(ref);
          return { status: 'locked' };
        },
      }),
    );
    expect([more, read.size]).toEqual([{ 'activity-retries': 1980 }, 20]);
  });
});
