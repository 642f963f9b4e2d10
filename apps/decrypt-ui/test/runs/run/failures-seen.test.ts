import { describe, expect, test } from 'vitest';
import {
  earlierFailures,
  type FailuresSeen,
  failuresOf,
  withFailures,
} from '../../../src/runs/run/failures-seen.ts';
import { failure } from '../../fixtures/events.ts';
import { historyOf } from '../../fixtures/history.ts';
import { FixtureRun } from '../../fixtures/run.ts';

const run = new FixtureRun({ workflowId: 'w' });
run.add('ActivityTaskScheduled', 0, { activityId: '7', activityType: { name: 'pay' } });
run.add('NexusOperationScheduled', 0, { service: 'bank', operation: 'pay' });
const [activity, nexus] = historyOf(run.events).groups;

/** A description in which the given attempt of the activity is pending. */
function described(attempt: number, message?: string, more: object = {}) {
  run.generation += 1;
  run.details = {
    pendingActivities: [
      { activityId: '7', attempt, ...(message && { lastFailure: failure(message, 'Refused') }), ...more },
    ],
  };
  return run.description;
}

/** Returns the time when the last attempt ended. */
const at = (second: number) => ({ lastAttemptCompleteTime: `2026-11-24T13:00:0${second}Z` });

const none: FailuresSeen = new Map();
const attempts = (seen: FailuresSeen) => failuresOf(seen, activity!).map(({ attempt }) => attempt);

describe('withFailures', () => {
  test('keeps each attempt’s failure and its payloads, which the next description does not list', () => {
    const first = withFailures(withFailures(none, described(1)), described(2, 'one'));
    const ref = run.description.payloads[0]!.ref;
    const next = withFailures(first, described(4, 'three'));
    expect(attempts(next)).toEqual([1, 3]);
    expect(failuresOf(next, activity!)[0]!.stubs.map((stub) => stub.ref)).toEqual([ref]);
    expect(run.description.payloads.map((stub) => stub.ref)).not.toContain(ref);
    // The failures also stay after the activity has ended.
    run.details = {};
    expect(attempts(withFailures(next, run.description))).toEqual([1, 3]);
  });

  test('returns the same object if no further attempt has failed', () => {
    const ended = { lastAttemptCompleteTime: '2026-11-24T13:00:00Z' };
    const seen = withFailures(none, described(3, 'two', ended));
    expect(withFailures(seen, described(3, 'two', ended))).toBe(seen);
    // Temporal may omit the end time while the next attempt runs.
    expect(withFailures(seen, described(3, 'two'))).toBe(seen);
  });

  test('distinguishes attempts with equal numbers after a reset of the activity', () => {
    const seen = [described(2, 'one', at(1)), described(3, 'two', at(2)), described(2, 'again', at(3))];
    expect(attempts(seen.reduce(withFailures, none))).toEqual([1, 2, 1]);
    expect(attempts(seen.slice(1).reduce(withFailures, none))).toEqual([2, 1]);
  });

  test('does not confuse an activity with a Nexus operation whose event number equals the activity’s id', () => {
    run.details = {
      pendingNexusOperations: [
        { scheduledEventId: '2', attempt: 2, lastAttemptFailure: failure('down', 'Down') },
      ],
      pendingActivities: [{ activityId: '2', attempt: 3, lastFailure: failure('no', 'No') }],
    };
    const seen = withFailures(none, run.description);
    expect(failuresOf(seen, nexus!)).toMatchObject([{ attempt: 1 }]);
    expect(failuresOf(seen, activity!)).toEqual([]);
  });

  test('keeps the latest hundred failures of an activity', () => {
    let seen = none;
    for (let attempt = 2; attempt < 150; attempt += 1) seen = withFailures(seen, described(attempt, 'x'));
    expect(attempts(seen)).toHaveLength(100);
    expect(attempts(seen).at(-1)).toBe(148);
  });
});

test('earlierFailures omits the last failure, but only while the work is pending', () => {
  const failures = [1, 2].map((attempt) => ({ attempt, endedAt: undefined, failure: {}, stubs: [] }));
  expect(earlierFailures(failures, undefined)).toBe(failures);
  const seen = withFailures(none, described(3, 'two'));
  expect(earlierFailures(failuresOf(seen, activity!), undefined)).toHaveLength(1);
});
