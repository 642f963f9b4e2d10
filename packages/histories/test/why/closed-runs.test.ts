import { reasons } from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import { explain } from '../../src/why/explain.ts';
import { kmsError, type Recorded, runOf, START, started, taskFails, timer } from './run.ts';

const [start] = started;
const scheduledAgain: Recorded = ['WorkflowTaskScheduled', { attempt: 2 }];

describe('explain with a run that timed out or was terminated', () => {
  it.each<[what: string, events: Recorded[], found: object[]]>([
    [
      'whose workflow task failed',
      [...taskFails('WORKFLOW_WORKER_UNHANDLED_FAILURE'), scheduledAgain],
      [
        {
          title: 'Workflow task failed',
          eventId: 7,
          cause: { message: { text: 'x is undefined' } },
          attempt: undefined,
          remedy: undefined,
        },
      ],
    ],
    [
      'whose workflow task failed because a key was disabled',
      [...taskFails('WORKFLOW_WORKER_UNHANDLED_FAILURE', kmsError('key_disabled', 7)), scheduledAgain],
      [{ title: reasons.key_disabled.title, eventId: 7 }],
    ],
    [
      'whose workflow task no worker took',
      [start!, ['WorkflowTaskScheduled']],
      [{ title: 'No worker took the workflow task', eventId: 2, queue: 'orders', detail: undefined }],
    ],
    [
      'whose workflow task a worker held',
      taskFails('FORCE_CLOSE_COMMAND'),
      [{ title: 'Workflow task was in progress', eventId: 5 }],
    ],
  ])('explains a run %s', (_, events, found) => {
    const queues = [{ name: 'orders', kind: 'workflow', polling: false }] as const;
    for (const end of ['WorkflowExecutionTimedOut', 'WorkflowExecutionTerminated']) {
      const { findings } = explain(runOf([...events, [end, {}, 3600]], { queues }));
      expect(findings.filter(({ rule }) => !rule.startsWith('run-'))).toMatchObject(found);
      expect(findings).toHaveLength(found.length + 1);
    }
  });

  it.each([
    ['of the run', {}, 'The run’s time limit was 1 d.'],
    [
      'of the execution',
      { workflowExecutionTimeout: '3600s', workflowExecutionExpirationTime: '2030-01-31T12:00:04Z' },
      'All runs together exceeded their time limit of 1 h.',
    ],
    [
      'of the run, if the execution’s limit is later',
      { workflowExecutionTimeout: '604800s', workflowExecutionExpirationTime: '2030-02-07T12:00:00Z' },
      'The run’s time limit was 1 d.',
    ],
    ['only if the history contains it', { workflowRunTimeout: undefined }, undefined],
  ])('states which time limit a run exceeded: the limit %s', (_, limits, detail) => {
    const limited: Recorded = ['WorkflowExecutionStarted', { workflowRunTimeout: '86400s', ...limits }];
    const [timedOut] = explain(runOf([limited, ['WorkflowExecutionTimedOut', {}, 4]])).findings;
    expect(timedOut).toMatchObject({ rule: 'run-timed-out', detail });
  });

  it('lists the timers that were open when a run timed out, without reporting them as overdue', () => {
    const run = runOf([...started, timer('90000s'), ['WorkflowExecutionTimedOut', {}, 60]], {
      now: START + 1e12,
    });
    expect(explain(run).findings).toMatchObject([
      { rule: 'run-timed-out' },
      { rule: 'timer-open', title: 'Timer was open', detail: 'It would have fired 1 d after the run ended.' },
    ]);
  });
});
