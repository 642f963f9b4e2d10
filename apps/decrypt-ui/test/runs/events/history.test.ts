import type { HistoryEvent } from '@temporal-kms/codec-api';
import { describe, expect, test } from 'vitest';
import { groupName, pendingWork } from '@temporal-kms/histories/events';
import { eventSummary, groupOutcome, pendingByGroup } from '../../../src/runs/events/describe-group.ts';
import { createHistoryIndexer } from '../../../src/runs/events/history-indexer.ts';
import { isPayloadTally, keyUsage } from '../../../src/payloads/payload-keys.ts';
import { resultName } from '../../../src/runs/events/run-ends.ts';
import { type History, nextPlaintext } from '../../../src/runs/events/history.ts';
import { alertRuns } from '../../fixtures/alerts.ts';
import { createHistoryBuilder } from '../../fixtures/history.ts';
import { plain, encrypted } from '../../fixtures/payloads.ts';
import { FixtureRun } from '../../fixtures/run.ts';

function historyOf(events: readonly HistoryEvent[]): History {
  const builder = createHistoryBuilder();
  builder.append(events);
  return builder.snapshot();
}

const ids = (history: History) =>
  history.groups.map((group) => [group.id, ...group.events.slice(1).map((event) => event.eventId)]);

const by = (field: string, id: number, more: object = {}) => ({ [field]: String(id), ...more });

test('summarises a signal by its sender, but gives no summary for the start of a task', () => {
  const run = new FixtureRun({ workflowId: 'w' });
  const identity = 'worker-1';
  run.add('ActivityTaskStarted', 0, { identity });
  run.add('WorkflowTaskStarted', 1, { identity });
  run.add('WorkflowExecutionSignaled', 2, { identity });
  expect(historyOf(run.events).events.map(eventSummary)).toEqual([
    { kind: 'none' },
    { kind: 'none' },
    { kind: 'text', text: identity },
  ]);
});

describe('grouping', () => {
  test('groups an activity with every event that refers to its scheduling, in any order', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    const first = run.add('ActivityTaskScheduled', 0, { activityId: '1' });
    const second = run.add('ActivityTaskScheduled', 1, { activityId: '2' });
    run.add('ActivityTaskCancelRequested', 2, by('scheduledEventId', first));
    run.add('ActivityTaskStarted', 3, by('scheduledEventId', second));
    run.add('ActivityTaskCompleted', 4, by('scheduledEventId', second));
    run.add('ActivityPropertiesModifiedExternally', 5, by('scheduledEventId', first));
    run.add('ActivityTaskCanceled', 6, by('scheduledEventId', first));
    const history = historyOf(run.events);
    expect(ids(history)).toEqual([
      [1, 3, 6, 7],
      [2, 4, 5],
    ]);
    expect(history.groups.map((group) => group.outcome)).toEqual(['canceled', 'ok']);
  });

  test('joins timers, children, Nexus operations and external requests by the fields of each kind', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    run.add('TimerStarted', 0, { timerId: '1' });
    run.add('StartChildWorkflowExecutionInitiated', 0);
    run.add('NexusOperationScheduled', 0);
    run.add('SignalExternalWorkflowExecutionInitiated', 0);
    run.add('RequestCancelExternalWorkflowExecutionInitiated', 0);
    run.add('TimerFired', 1, by('startedEventId', 1));
    run.add('ChildWorkflowExecutionStarted', 1, by('initiatedEventId', 2));
    run.add('ChildWorkflowExecutionFailed', 1, by('initiatedEventId', 2));
    run.add('NexusOperationCancelRequested', 1, by('scheduledEventId', 3));
    run.add('NexusOperationTimedOut', 1, by('scheduledEventId', 3));
    run.add('SignalExternalWorkflowExecutionFailed', 1, by('initiatedEventId', 4));
    run.add('ExternalWorkflowExecutionCancelRequested', 1, by('initiatedEventId', 5));
    const { groups } = historyOf(run.events);
    expect(groups.map(({ category, outcome, open }) => [category, outcome, open])).toEqual([
      ['timer', 'ok', false],
      ['child', 'failed', false],
      ['nexus', 'timed-out', false],
      ['external', 'failed', false],
      ['external', 'ok', false],
    ]);
  });

  test('joins an update to its admission by its id, and its completion to its acceptance', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    run.add('WorkflowExecutionUpdateAdmitted', 0, {
      request: { meta: { updateId: 'u-7' }, input: { name: 'setAddress' } },
    });
    run.add('WorkflowTaskScheduled', 0);
    const accepted = run.add('WorkflowExecutionUpdateAccepted', 1, {
      protocolInstanceId: 'u-7',
      acceptedRequest: { meta: { updateId: 'u-7' } },
    });
    run.add(
      'WorkflowExecutionUpdateCompleted',
      2,
      by('acceptedEventId', accepted, { outcome: { failure: { message: 'no' } } }),
    );
    const history = historyOf(run.events);
    expect(ids(history)).toEqual([[1, 3, 4], [2]]);
    expect(history.groups[0]!.outcome).toBe('failed');
    expect(groupName(history.groups[0]!).text).toBe('setAddress');
  });

  test('takes the outcome from the last event, not from the first', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    const scheduled = run.add('ActivityTaskScheduled', 0);
    run.add('ActivityTaskStarted', 1, by('scheduledEventId', scheduled));
    run.add('ActivityTaskFailed', 2, by('scheduledEventId', scheduled));
    expect(historyOf(run.events).groups[0]!.outcome).toBe('failed');
  });

  test('distinguishes a local activity from other markers, and names it from the Core SDK’s data', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    run.add('MarkerRecorded', 0, {
      markerName: 'core_local_activity',
      details: {
        data: { payloads: [plain({ activity_type: 'redact' })] },
        result: { payloads: [encrypted(1)] },
      },
    });
    run.add('MarkerRecorded', 0, { markerName: 'SideEffect' });
    run.add('MarkerRecorded', 0, { markerName: 'LocalActivity', failure: { message: 'no' } });
    const { groups } = historyOf(run.events);
    expect(groups.map(({ category, outcome }) => [category, outcome])).toEqual([
      ['local', 'ok'],
      ['marker', undefined],
      ['local', 'failed'],
    ]);
    expect(groupName(groups[0]!)).toMatchObject({ ref: '1:0', member: 'activity_type' });
  });

  test('shows an event of an unknown type as a separate group, under the server’s name for the type', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    run.add('Unknown(61)', 0, { scheduledEventId: '1' });
    const [group] = historyOf(run.events).groups;
    expect(group!.category).toBe('other');
    expect(groupName(group!).text).toBe('Unknown(61)');
  });
});

const provisional = () => {
  const made = new FixtureRun({ workflowId: 'w' });
  made.add('WorkflowExecutionStarted', 0);
  made.add('WorkflowTaskScheduled', 1, {}, { durable: false });
  made.add('WorkflowTaskStarted', 2, by('scheduledEventId', 2), { durable: false });
  return made;
};

test('counts plaintext failures as plaintext payloads, and includes them when it looks for the next plaintext payload', () => {
  const leaked = { failure: { message: 'Card 4111', source: 'TypeScriptSDK', cause: { source: 'Server' } } };
  const builder = createHistoryBuilder();
  const append = (run: FixtureRun) => {
    builder.append(run.events);
    const history = builder.snapshot();
    const {
      plaintext,
      encrypted: ciphertexts,
      shares,
    } = keyUsage(history.tallies, new Map(), () => undefined);
    return [plaintext, ciphertexts, shares.length, nextPlaintext(history)];
  };
  const run = new FixtureRun({ workflowId: 'w' });
  run.add('WorkflowExecutionStarted', 0);
  run.add('WorkflowTaskFailed', 1, leaked, { durable: false });
  expect(append(run)).toEqual([1, 0, 0, 2]);
  const later = new FixtureRun({ workflowId: 'w' });
  later.add('WorkflowExecutionStarted', 0);
  later.add('ActivityTaskScheduled', 1);
  later.add('ActivityTaskFailed', 2, { ...by('scheduledEventId', 2), ...leaked });
  expect(append(later)).toEqual([1, 0, 0, 3]);
  expect(builder.snapshot().tallies.filter(isPayloadTally)).toEqual([]);
});

test('wraps around after the last plaintext payload when it searches for the next one', () => {
  const [stuck, paused] = alertRuns(Date.now());
  const history = historyOf(stuck!.events);
  expect(nextPlaintext(history)).toBe(1);
  expect(nextPlaintext(history, 1)).toBe(6);
  expect(nextPlaintext(history, 6)).toBe(1);
  expect(nextPlaintext(historyOf(paused!.events))).toBeUndefined();
});

describe('events that are not durable', () => {
  test('are replaced by later events with the same ids, and dropped if fewer events follow', () => {
    const builder = createHistoryBuilder();
    builder.append(provisional().events);
    expect(builder.snapshot().events).toHaveLength(3);
    expect(builder.lastDurable).toBe(1);
    const later = new FixtureRun({ workflowId: 'w' });
    later.add('WorkflowExecutionStarted', 0);
    later.add('WorkflowExecutionSignaled', 3, { signalName: 'instead' });
    builder.append(later.events.slice(1));
    const history = builder.snapshot();
    expect(history.events.map((event) => event.eventName)).toEqual([
      'WorkflowExecutionStarted',
      'WorkflowExecutionSignaled',
    ]);
    expect(ids(history)).toEqual([[1], [2]]);
    expect(history.lastDurable).toBe(2);
  });

  test('never replace a durable event', () => {
    const builder = createHistoryBuilder();
    const made = provisional();
    builder.append(made.events.slice(0, 1));
    builder.append([{ ...made.events[0]!, eventName: 'Another' }]);
    expect(builder.snapshot().events[0]!.eventName).toBe('WorkflowExecutionStarted');
  });

  test('are rejected if an event before them is missing', () => {
    const builder = createHistoryBuilder();
    expect(() => builder.append(provisional().events.slice(1))).toThrow('Event 2 came after event 0');
  });

  test('change neither an earlier snapshot nor the objects of other groups', () => {
    const builder = createHistoryBuilder();
    const made = new FixtureRun({ workflowId: 'w' });
    const scheduled = made.add('ActivityTaskScheduled', 0);
    made.add('WorkflowExecutionSignaled', 0);
    builder.append(made.events);
    const before = builder.snapshot();
    made.add('ActivityTaskStarted', 1, by('scheduledEventId', scheduled));
    builder.append(made.events.slice(2));
    const after = builder.snapshot();
    expect(before.groups[0]!.events).toHaveLength(1);
    expect(after.groups[0]!.events).toHaveLength(2);
    expect(after.groups[1]).toBe(before.groups[1]);
  });
});

describe('pending work', () => {
  test('belongs to the group with the same activity id or first event, and determines the group’s outcome', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    run.add('ActivityTaskScheduled', 0, { activityId: 'a' });
    run.add('ActivityTaskScheduled', 0, { activityId: 'b' });
    run.add('ActivityTaskScheduled', 0, { activityId: 'c' });
    run.add('StartChildWorkflowExecutionInitiated', 0);
    run.add('TimerStarted', 0, { startToFireTimeout: '60s' });
    run.add('ChildWorkflowExecutionStarted', 1, by('initiatedEventId', 4));
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

  test('has a neutral outcome once the run has closed', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    run.add('ActivityTaskScheduled', 0, { activityId: 'a' });
    expect(groupOutcome(historyOf(run.events).groups[0]!, false)).toBe('neutral');
  });
});

function activities(count: number) {
  const run = new FixtureRun({ workflowId: 'w' });
  while (run.events.length < count) {
    const scheduled = run.add('ActivityTaskScheduled', run.events.length, {
      activityId: String(run.events.length),
    });
    run.add('ActivityTaskStarted', run.events.length, by('scheduledEventId', scheduled));
    run.add('ActivityTaskCompleted', run.events.length, by('scheduledEventId', scheduled));
  }
  return run.events;
}

describe('a long history', () => {
  const FRAME = 500;
  /** With `SLOW=1`, as many events as Temporal allows in a history. */
  const EVENTS = process.env['SLOW'] ? 51_200 : 12_800;

  test('is grouped frame by frame', () => {
    const events = activities(EVENTS);
    const builder = createHistoryBuilder();
    for (let at = 0; at < events.length; at += FRAME) {
      builder.append(events.slice(at, at + FRAME));
      builder.snapshot();
    }
    expect(builder.snapshot().groups).toHaveLength(Math.ceil(EVENTS / 3));
  });

  /**
   * Returns the work per event: how often the indexer reads attributes, plus how many events and group members it
   * sends.
   */
  function workPerEvent(count: number): number {
    let work = 0;
    const events = activities(count).map((event) => ({
      ...event,
      get attributes() {
        work += 1;
        return event.attributes;
      },
    }));
    const index = createHistoryIndexer();
    for (let at = 0; at < events.length; at += FRAME) {
      const delta = index.append(events.slice(at, at + FRAME));
      for (const group of delta?.groups ?? []) work += group.eventIds.length;
      work += delta?.events.length ?? 0;
    }
    return work / events.length;
  }

  test('needs no more work per event than a short history', () => {
    expect(workPerEvent(EVENTS)).toBeCloseTo(workPerEvent(EVENTS / 10), 1);
  });
});

test.each([
  ['WorkflowExecutionCompleted', {}, 'result'],
  ['WorkflowExecutionFailed', {}, 'failure'],
  ['WorkflowExecutionContinuedAsNew', {}, 'next input'],
  ['WorkflowExecutionTerminated', { details: { payloads: [plain('over budget')] } }, 'details'],
  ['WorkflowExecutionTerminated', {}, undefined],
  ['WorkflowExecutionTimedOut', {}, undefined],
])('names the value of %s with %j: %s', (eventName, attributes, name) => {
  const run = new FixtureRun({ workflowId: 'w' });
  run.add(eventName, 0, attributes);
  expect(resultName(historyOf(run.events).events[0]!)).toBe(name);
});
