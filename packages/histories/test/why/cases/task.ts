import { application, runOf, START, started, taskFails, time } from '../run.ts';
import type { Cases } from './cases.ts';

/**
 * Runs to which the rules about the workflow task and about runs without open steps apply, and the expected
 * findings.
 */
export const taskCases = {
  nondeterminism: [
    runOf(taskFails('NON_DETERMINISTIC_ERROR'), { details: { pendingWorkflowTask: { attempt: 88 } } }),
    { attempt: 88, since: START + 12_000, eventId: 7, cause: { message: { text: 'x is undefined' } } },
  ],
  deadlock: [
    runOf(
      taskFails(
        'WORKFLOW_WORKER_UNHANDLED_FAILURE',
        application('', '[TMPRL1101] Potential deadlock detected'),
      ),
    ),
    { queue: 'orders', attempt: 2 },
  ],
  'task-times-out': [
    runOf([
      ...started,
      ['WorkflowTaskScheduled'],
      ['WorkflowTaskStarted', { scheduledEventId: '5' }],
      ['WorkflowTaskTimedOut', { scheduledEventId: '5', timeoutType: 'TIMEOUT_TYPE_START_TO_CLOSE' }],
    ]),
    { eventId: 7, cause: undefined },
  ],
  'unhandled-command': [runOf(taskFails('UNHANDLED_COMMAND')), { eventId: 7 }],
  'task-fails': [
    runOf(taskFails('WORKFLOW_WORKER_UNHANDLED_FAILURE')),
    {
      cause: { frames: [{ place: '/srv/app/capture.ts:88:11' }] },
      detail: 'Temporal’s cause: workflow worker unhandled failure.',
    },
  ],
  'run-paused': [
    runOf(started, {
      status: 'Paused',
      details: {
        workflowExtendedInfo: { pauseInfo: { identity: 'ada', reason: 'audit', pausedTime: time(9) } },
      },
    }),
    { detail: 'By ada. Reason: audit.', since: START + 9000 },
  ],
  'task-not-taken': [
    runOf([...started, ['WorkflowTaskScheduled']], {
      queues: [{ name: 'orders', kind: 'workflow', polling: false }],
    }),
    { queue: 'orders', since: START + 4000, detail: 'No worker is polling the task queue.' },
  ],
  'start-delayed': [
    runOf([['WorkflowExecutionStarted', { firstWorkflowTaskBackoff: '3600s' }]]),
    { eventId: 1, since: START, nextAt: START + 3_600_000 },
  ],
  'task-open': [
    { ...runOf([...started, ['WorkflowTaskScheduled']]), now: START + 5000 },
    { title: 'Workflow task waits for a worker', eventId: 5, queue: 'orders', since: START + 4000 },
  ],
  'cancel-requested': [
    runOf([...started, ['WorkflowExecutionCancelRequested', { identity: 'ada', cause: 'no stock' }]]),
    { eventId: 5, detail: 'By ada. Reason: no stock.' },
  ],
  'nothing-pending': [runOf(started), { eventId: 4, since: START + 3000 }],
} satisfies Cases;
