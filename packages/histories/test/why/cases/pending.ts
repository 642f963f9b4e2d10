import {
  application,
  pending,
  type Recorded,
  runOf,
  scheduled,
  START,
  started,
  time,
  timer,
} from '../run.ts';
import type { Cases } from './cases.ts';

const nexus: Recorded = ['NexusOperationScheduled', { service: 'bank', operation: 'pay', endpoint: 'b' }];

/** Runs to which the rules about open steps apply, and the expected findings. */
export const pendingCases = {
  'activity-not-taken': [
    runOf(
      [...started, scheduled],
      pending({ state: 'PENDING_ACTIVITY_STATE_SCHEDULED', attempt: 1, scheduledTime: time(4) }),
    ),
    { queue: 'pay', since: START + 4000, place: { name: 'charge' } },
  ],
  'activity-paused': [
    runOf(
      [...started, scheduled],
      pending({
        attempt: 2,
        paused: true,
        pauseInfo: { pauseTime: time(9), manual: { identity: 'ada', reason: 'audit' } },
      }),
    ),
    { detail: 'By ada. Reason: audit.', since: START + 9000, place: { name: 'charge' } },
  ],
  'activity-retries': [
    runOf(
      [...started, scheduled],
      pending({
        attempt: 12,
        maximumAttempts: 20,
        nextAttemptScheduleTime: time(90),
        scheduledTime: time(90),
        lastFailure: application('Timeout', 'no route'),
      }),
    ),
    {
      attempt: 12,
      maximumAttempts: 20,
      nextAt: START + 90_000,
      since: START + 4000,
      cause: { type: 'Timeout' },
      place: { name: 'charge' },
    },
  ],
  'nexus-blocked': [
    runOf([...started, nexus], {
      details: {
        pendingNexusOperations: [
          {
            scheduledEventId: '5',
            service: 'bank',
            operation: 'pay',
            attempt: 3,
            blockedReason: 'The circuit breaker is open.',
          },
        ],
      },
    }),
    { place: { name: 'bank.pay' }, detail: 'The circuit breaker is open.', eventId: 5 },
  ],
  'nexus-retries': [
    runOf([...started, nexus], {
      details: {
        pendingNexusOperations: [
          {
            scheduledEventId: '5',
            service: 'bank',
            operation: 'pay',
            attempt: 3,
            lastAttemptFailure: { message: 'no', nexusHandlerFailureInfo: { type: 'UNAVAILABLE' } },
          },
        ],
      },
    }),
    { attempt: 3, cause: { kind: 'NexusHandlerError', type: 'UNAVAILABLE' } },
  ],
  'timer-overdue': [runOf([...started, timer('10s')]), { nextAt: START + 14_000, place: { name: '1' } }],
  'activity-open': [
    runOf(
      [...started, scheduled],
      pending({
        state: 'PENDING_ACTIVITY_STATE_STARTED',
        attempt: 2,
        lastStartedTime: time(40),
        lastFailure: application('WorkerShutdown', 'Worker is shutting down'),
        lastWorkerIdentity: 'worker-7',
      }),
    ),
    { place: { name: 'charge', worker: 'worker-7' }, attempt: 2, since: START + 40_000 },
  ],
  'child-open': [
    runOf([
      ...started,
      ['StartChildWorkflowExecutionInitiated', { workflowId: 'ship-1', workflowType: { name: 'ship' } }],
      [
        'ChildWorkflowExecutionStarted',
        { initiatedEventId: '5', workflowExecution: { workflowId: 'ship-1', runId: 'r' } },
      ],
    ]),
    { place: { name: 'ship', run: { workflowId: 'ship-1', runId: 'r' } }, eventId: 5 },
  ],
  'nexus-open': [runOf([...started, nexus]), { place: { name: 'bank.pay' }, eventId: 5 }],
  'message-open': [
    runOf([...started, ['SignalExternalWorkflowExecutionInitiated', { signalName: 'go' }]]),
    { place: { name: 'go' } },
  ],
  'timer-open': [runOf([...started, timer('900s')]), { nextAt: START + 904_000 }],
} satisfies Cases;
