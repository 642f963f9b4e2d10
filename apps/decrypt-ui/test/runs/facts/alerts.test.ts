import { describe, expect, it } from 'vitest';
import { attributeName, enumWords } from '../../../src/payloads/value/attribute-words.ts';
import { nextPlaintext } from '../../../src/runs/events/history.ts';
import { runAlerts } from '../../../src/runs/facts/alerts.ts';
import { alertRuns } from '../../fixtures/alerts.ts';
import { createHistoryBuilder } from '../../fixtures/history.ts';
import type { FixtureRun } from '../../fixtures/run.ts';

const [stuck, paused, reset, , retrying] = alertRuns(Date.parse('2026-11-24T13:00:00Z'));

function historyOf(run: FixtureRun) {
  const builder = createHistoryBuilder();
  builder.append(run.events);
  return builder.snapshot();
}

const alertsOf = (run: FixtureRun, open = true) =>
  runAlerts({ description: run.description, events: historyOf(run).events, open });

describe('runAlerts', () => {
  it('reports task queues of an open run that no worker polls', () => {
    const polled = { name: 'orders', kind: 'workflow', waiting: 1, pollers: 2, polling: true } as const;
    const queue = {
      ...polled,
      kind: 'activity',
      pollers: 1,
      polling: false,
      lastPoll: '2026-11-24T12:00:00Z',
    } as const;
    const sources = {
      description: paused!.description,
      events: historyOf(paused!).events,
      taskQueues: [polled, queue],
    };
    expect(runAlerts({ ...sources, open: true })[0]).toEqual({ kind: 'noPollers', queue });
    expect(runAlerts({ ...sources, open: false }).map(({ kind }) => kind)).toEqual(['paused']);
  });

  it('reports a workflow task’s failure with its attempt, cause and event', () => {
    expect(alertsOf(stuck!)[0]).toMatchObject({
      kind: 'taskFailure',
      attempt: 14,
      cause: 'Non deterministic error',
      event: { eventId: 4 },
      failure: { applicationFailureInfo: { type: 'DeterminismViolationError' } },
    });
  });

  it('does not report a workflow task’s failure once a later task has completed', () => {
    const [run] = alertRuns(Date.now());
    run!.add('WorkflowTaskScheduled', 80_000);
    run!.add('WorkflowTaskCompleted', 80_010, { scheduledEventId: String(run!.events.length) });
    run!.details = {};
    expect(alertsOf(run!).map(({ kind }) => kind)).toEqual(['cancelRequested']);
  });

  it('does not report the failed task that a reset writes as a fault', () => {
    const [run] = alertRuns(Date.now());
    run!.add('WorkflowTaskFailed', 80_000, { cause: 'WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW' });
    run!.details = {};
    expect(alertsOf(run!).map(({ kind }) => kind)).toEqual(['cancelRequested']);
  });

  it('reports who requested the cancellation, and why, while the run is open', () => {
    expect(alertsOf(stuck!)[1]).toMatchObject({
      kind: 'cancelRequested',
      by: 'ana@acme.example',
      reason: 'ordered twice',
      eventId: 5,
    });
    expect(alertsOf(stuck!, false)).toEqual([]);
  });

  it('reports who paused the run, and why', () => {
    expect(alertsOf(paused!)).toMatchObject([
      { kind: 'paused', by: 'ana@acme.example', reason: 'waiting for the bank' },
    ]);
  });

  it('reports the work that fails most often, and counts what else fails again and again', () => {
    expect(alertsOf(retrying!)).toMatchObject([
      { kind: 'retries', work: { name: 'transferFunds', attempt: 88 }, others: 1 },
    ]);
    expect(alertsOf(retrying!, false)).toEqual([]);
  });

  it('reports no retries of an activity that is paused, or that has failed a few times', () => {
    const run = alertRuns(Date.now())[4]!;
    const work = { activityType: { name: 'pay' }, state: 'PENDING_ACTIVITY_STATE_SCHEDULED' };
    run.details = {
      pendingActivities: [
        { ...work, activityId: '1', attempt: 88, paused: true },
        { ...work, activityId: '2', attempt: 4 },
      ],
    };
    expect(alertsOf(run)).toEqual([]);
  });

  it('reports the run that a reset led to', () => {
    expect(alertsOf(reset!, false)).toEqual([
      { kind: 'reset', runId: '01997c2e-a000-7000-8000-000000000004' },
    ]);
  });
});

it('finds the next plaintext payload, and starts again after the last', () => {
  const history = historyOf(stuck!);
  expect(nextPlaintext(history)).toBe(1);
  expect(nextPlaintext(history, 1)).toBe(6);
  expect(nextPlaintext(history, 6)).toBe(1);
  expect(nextPlaintext(historyOf(paused!))).toBeUndefined();
});

describe('words', () => {
  it.each([
    ['RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED', 'Maximum attempts reached'],
    ['TASK_QUEUE_KIND_STICKY', 'Sticky'],
    ['WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR', 'Non deterministic error'],
    ['PAYMENT_DECLINED', undefined],
    ['Failed', undefined],
  ])('writes the enum value %s as %s', (value, words) => {
    expect(enumWords(value)).toBe(words);
  });

  it.each([
    ['retryPolicy.maximumAttempts', 'Most attempts'],
    ['startToCloseTimeout', 'Time limit of an attempt'],
    ['workflowIdReusePolicy', 'Workflow id reuse policy'],
    ['searchAttributes.indexedFields', 'Search attributes, indexed fields'],
    ['versions[0].buildId', 'Versions [0], build id'],
  ])('writes the path %s as %s', (path, words) => {
    expect(attributeName(path)).toBe(words);
  });
});
