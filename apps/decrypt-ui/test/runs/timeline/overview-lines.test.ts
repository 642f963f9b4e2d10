import { describe, expect, test } from 'vitest';
import { hasOverview, overviewLines } from '../../../src/runs/timeline/overview-lines.ts';
import { historyOf } from '../../fixtures/history.ts';
import { FixtureRun } from '../../fixtures/run.ts';

/** Returns the groups of `count` activities. The activities at the positions in `failed` have failed. */
function groupsOf(count: number, failed: readonly number[] = []) {
  const run = new FixtureRun({ workflowId: 'w' });
  for (let index = 0; index < count; index += 1) {
    const scheduled = run.add('ActivityTaskScheduled', index * 10, { activityId: String(index) });
    const name = failed.includes(index) ? 'ActivityTaskFailed' : 'ActivityTaskCompleted';
    run.add(name, index * 10 + 5, { scheduledEventId: String(scheduled) });
  }
  return historyOf(run.events).groups;
}

describe('the overview lines', () => {
  test('include every failure, drawn after all other lines', () => {
    const failed = [1, 2001, 3999];
    const lines = overviewLines(groupsOf(4000, failed), false);
    expect(lines.length).toBeLessThan(3100);
    expect(lines.filter((line) => line.failed)).toHaveLength(failed.length);
    expect(lines.slice(-failed.length).every((line) => line.failed)).toBe(true);
    expect(lines.slice(-failed.length).map(({ place }) => Math.round(place * 3999))).toEqual(failed);
  });

  test('exist if there are at least ten rows, not counting hidden workflow tasks', () => {
    expect([9, 10].map((count) => hasOverview(groupsOf(count), false))).toEqual([false, true]);
    const run = new FixtureRun({ workflowId: 'w' });
    for (let index = 0; index < 20; index += 1) run.add('WorkflowTaskScheduled', index);
    const { groups } = historyOf(run.events);
    expect([false, true].map((tasks) => hasOverview(groups, tasks))).toEqual([false, true]);
  });
});
