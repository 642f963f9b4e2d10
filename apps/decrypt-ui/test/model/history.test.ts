import type { HistoryEvent } from '@temporal-kms/codec-api';
import { describe, expect, test } from 'vitest';
import { groupName, groupOutcome, pendingByGroup } from '../../src/model/describe-group.ts';
import { createHistoryBuilder, type History } from '../../src/model/history.ts';
import { pendingWork } from '../../src/model/pending.ts';
import { FixtureRun } from '../fixtures/run.ts';
import { plain, sealed } from '../fixtures/sealed.ts';

function historyOf(events: readonly HistoryEvent[]): History {
  const builder = createHistoryBuilder();
  builder.append(events);
  return builder.snapshot();
}

const ids = (history: History) =>
  history.groups.map((group) => [group.id, ...group.events.slice(1).map((event) => event.eventId)]);

const by = (field: string, id: number, more: object = {}) => ({ [field]: String(id), ...more });

describe('grouping', () => {
  test('an activity takes every event that names its scheduling, in any order among others', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    const first = run.add(10, 0, { activityId: '1' });
    const second = run.add(10, 1, { activityId: '2' });
    run.add(15, 2, by('scheduledEventId', first));
    run.add(11, 3, by('scheduledEventId', second));
    run.add(12, 4, by('scheduledEventId', second));
    run.add(45, 5, by('scheduledEventId', first));
    run.add(16, 6, by('scheduledEventId', first));
    const history = historyOf(run.events);
    expect(ids(history)).toEqual([
      [1, 3, 6, 7],
      [2, 4, 5],
    ]);
    expect(history.groups.map((group) => group.outcome)).toEqual(['canceled', 'ok']);
  });

  test('timers, children, Nexus operations and external requests join by their own fields', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    run.add(17, 0, { timerId: '1' });
    run.add(29, 0);
    run.add(48, 0);
    run.add(37, 0);
    run.add(22, 0);
    run.add(18, 1, by('startedEventId', 1));
    run.add(31, 1, by('initiatedEventId', 2));
    run.add(33, 1, by('initiatedEventId', 2));
    run.add(54, 1, by('scheduledEventId', 3));
    run.add(53, 1, by('scheduledEventId', 3));
    run.add(38, 1, by('initiatedEventId', 4));
    run.add(24, 1, by('initiatedEventId', 5));
    const { groups } = historyOf(run.events);
    expect(groups.map(({ category, outcome, open }) => [category, outcome, open])).toEqual([
      ['timer', 'ok', false],
      ['child', 'failed', false],
      ['nexus', 'timed-out', false],
      ['external', 'failed', false],
      ['external', 'ok', false],
    ]);
  });

  test('an update joins its admission by its id, and its completion by the acceptance', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    run.add(47, 0, { request: { meta: { updateId: 'u-7' }, input: { name: 'setAddress' } } });
    run.add(5, 0);
    const accepted = run.add(41, 1, {
      protocolInstanceId: 'u-7',
      acceptedRequest: { meta: { updateId: 'u-7' } },
    });
    run.add(43, 2, by('acceptedEventId', accepted, { outcome: { failure: { message: 'no' } } }));
    const history = historyOf(run.events);
    expect(ids(history)).toEqual([[1, 3, 4], [2]]);
    expect(history.groups[0]!.outcome).toBe('failed');
    expect(groupName(history.groups[0]!).text).toBe('setAddress');
  });

  test('the outcome is the final event’s, not the head’s', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    const scheduled = run.add(10, 0);
    run.add(11, 1, by('scheduledEventId', scheduled));
    run.add(13, 2, by('scheduledEventId', scheduled));
    expect(historyOf(run.events).groups[0]!.outcome).toBe('failed');
  });

  test('a local activity is told from other markers, and named by Core’s own data', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    run.add(25, 0, {
      markerName: 'core_local_activity',
      details: {
        data: { payloads: [plain({ activity_type: 'redact' })] },
        result: { payloads: [sealed(1)] },
      },
    });
    run.add(25, 0, { markerName: 'SideEffect' });
    run.add(25, 0, { markerName: 'LocalActivity', failure: { message: 'no' } });
    const { groups } = historyOf(run.events);
    expect(groups.map(({ category, outcome }) => [category, outcome])).toEqual([
      ['local', 'ok'],
      ['marker', undefined],
      ['local', 'failed'],
    ]);
    expect(groupName(groups[0]!)).toMatchObject({ ref: '1:0', member: 'activity_type' });
  });

  test('a type newer than this page stands alone under the server’s name for it', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    run.add(61, 0, { scheduledEventId: '1' });
    const [group] = historyOf(run.events).groups;
    expect(group!.category).toBe('other');
    expect(groupName(group!).text).toBe('Unknown(61)');
  });
});

const provisional = () => {
  const made = new FixtureRun({ workflowId: 'w' });
  made.add(1, 0);
  made.add(5, 1, {}, { durable: false });
  made.add(6, 2, by('scheduledEventId', 2), { durable: false });
  return made;
};

describe('events that are not durable', () => {
  test('are replaced by what comes under their ids, and dropped when less comes', () => {
    const builder = createHistoryBuilder();
    builder.append(provisional().events);
    expect(builder.snapshot().events).toHaveLength(3);
    expect(builder.lastDurable).toBe(1);
    const later = new FixtureRun({ workflowId: 'w' });
    later.add(1, 0);
    later.add(26, 3, { signalName: 'instead' });
    builder.append(later.events.slice(1));
    const history = builder.snapshot();
    expect(history.events.map((event) => event.eventType)).toEqual([1, 26]);
    expect(ids(history)).toEqual([[1], [2]]);
    expect(history.lastDurable).toBe(2);
  });

  test('what is durable is never overwritten by a repetition', () => {
    const builder = createHistoryBuilder();
    const made = provisional();
    builder.append(made.events.slice(0, 1));
    builder.append([{ ...made.events[0]!, eventName: 'Another' }]);
    expect(builder.snapshot().events[0]!.eventName).toBe('WorkflowExecutionStarted');
  });

  test('a missing event is an error of the stream', () => {
    const builder = createHistoryBuilder();
    expect(() => builder.append(provisional().events.slice(1))).toThrow('Event 2 came after event 0');
  });

  test('a snapshot is not changed by later frames, and untouched groups stay the same objects', () => {
    const builder = createHistoryBuilder();
    const made = new FixtureRun({ workflowId: 'w' });
    const scheduled = made.add(10, 0);
    made.add(26, 0);
    builder.append(made.events);
    const before = builder.snapshot();
    made.add(11, 1, by('scheduledEventId', scheduled));
    builder.append(made.events.slice(2));
    const after = builder.snapshot();
    expect(before.groups[0]!.events).toHaveLength(1);
    expect(after.groups[0]!.events).toHaveLength(2);
    expect(after.groups[1]).toBe(before.groups[1]);
  });
});

describe('pending work', () => {
  test('joins by activity id and by head, and colours what runs and what retries', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    run.add(10, 0, { activityId: 'a' });
    run.add(10, 0, { activityId: 'b' });
    run.add(10, 0, { activityId: 'c' });
    run.add(29, 0);
    run.add(17, 0, { startToFireTimeout: '60s' });
    run.add(31, 1, by('initiatedEventId', 4));
    run.details = {
      pendingActivities: [
        { activityId: 'a', state: 'PENDING_ACTIVITY_STATE_STARTED', attempt: 1 },
        {
          activityId: 'b',
          state: 'PENDING_ACTIVITY_STATE_STARTED',
          attempt: 3,
          lastFailure: { message: 'x' },
        },
        { activityId: 'c', state: 'PENDING_ACTIVITY_STATE_PAUSED', attempt: 1, paused: true },
      ],
      pendingChildren: [{ initiatedId: '4', workflowId: 'x' }],
    };
    const { groups } = historyOf(run.events);
    const pending = pendingByGroup(groups, pendingWork(run.description));
    const outcomes = groups.map((group) => groupOutcome(group, true, pending.get(group.id)));
    expect(outcomes).toEqual(['running', 'pending', 'paused', 'running', 'pending']);
  });

  test('of a run that has ended is neither running nor pending', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    run.add(10, 0, { activityId: 'a' });
    expect(groupOutcome(historyOf(run.events).groups[0]!, false)).toBe('neutral');
  });
});

test('groups 51,200 events frame by frame in well under a second', () => {
  const run = new FixtureRun({ workflowId: 'w' });
  while (run.events.length < 51_200) {
    const scheduled = run.add(10, run.events.length, { activityId: String(run.events.length) });
    run.add(11, run.events.length, by('scheduledEventId', scheduled));
    run.add(12, run.events.length, by('scheduledEventId', scheduled));
  }
  const builder = createHistoryBuilder();
  const start = performance.now();
  for (let at = 0; at < run.events.length; at += 500) {
    builder.append(run.events.slice(at, at + 500));
    builder.snapshot();
  }
  expect(builder.snapshot().groups).toHaveLength(Math.ceil(51_200 / 3));
  // A quadratic rebuild took a minute; the bound leaves room for a busy machine.
  expect(performance.now() - start).toBeLessThan(5000);
});
