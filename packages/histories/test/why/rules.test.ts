import { reasons } from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import { explain } from '../../src/why/explain.ts';
import { type RuleId, rules } from '../../src/why/rules.ts';
import type { WhyRun } from '../../src/why/run.ts';
import {
  activityFailure,
  application,
  kmsError,
  reading,
  type Recorded,
  runOf,
  scheduled,
  signal,
  START,
  started,
  taskAt,
  taskFails,
  timer,
  updateAccepted,
} from './run.ts';

const pending = (activity: object) => ({
  details: { pendingActivities: [{ activityId: '1', activityType: { name: 'charge' }, ...activity }] },
});
const time = (after: number) => new Date(START + after * 1000).toISOString();
const nexus: Recorded = ['NexusOperationScheduled', { service: 'bank', operation: 'pay', endpoint: 'b' }];

/**
 * Returns a completed run with an activity that took this many seconds. The whole run took four seconds more.
 */
const chargedFor = (seconds: number): Recorded[] => [
  ...started,
  ['ActivityTaskScheduled', scheduled[1] ?? {}, 4],
  ['ActivityTaskStarted', { scheduledEventId: '5', attempt: 1 }, 4],
  ['ActivityTaskCompleted', { scheduledEventId: '5' }, 4 + seconds],
  ['WorkflowExecutionCompleted', {}, 4 + seconds],
];

/** Returns a run whose activity is in the given state after the activity's worker was shut down. */
const interrupted = (state: string) =>
  runOf(
    [...started, scheduled],
    pending({ state, attempt: 2, lastFailure: application('WorkerShutdown', 'Worker is shutting down') }),
  );

/** For each rule, a run to which the rule applies, and the expected finding. */
const cases: Readonly<Record<RuleId, readonly [run: WhyRun, found: object]>> = {
  'codec-failed': [
    runOf([
      ...started,
      scheduled,
      ['ActivityTaskFailed', { scheduledEventId: '5' }],
      ['WorkflowExecutionFailed', { failure: activityFailure(kmsError('key_destroyed', 7)) }],
    ]),
    {
      title: reasons.key_destroyed.title,
      remedy: reasons.key_destroyed.remedy,
      cause: { codec: 'key_destroyed', message: { status: 'locked', ref: '7:1' }, refs: ['7:1'] },
      place: { name: 'charge' },
      eventId: 6,
    },
  ],
  'run-failed': [
    runOf([
      ...started,
      scheduled,
      ['ActivityTaskStarted', { scheduledEventId: '5', attempt: 5 }],
      ['ActivityTaskFailed', { scheduledEventId: '5', failure: application('CardDeclined', 'declined') }],
      ['WorkflowExecutionFailed', { failure: activityFailure(application('CardDeclined', 'declined')) }],
    ]),
    {
      fingerprint: expect.stringMatching(/^\d+-[\da-f]{16}$/),
      eventId: 7,
      attempt: 5,
      cause: { type: 'CardDeclined', message: { text: 'declined' }, wrappers: ['ActivityFailure'] },
      place: { kind: 'activity', name: 'charge', worker: 'worker-7', retryState: 'maximum attempts reached' },
    },
  ],
  'run-timed-out': [
    runOf([
      ['WorkflowExecutionStarted', { workflowRunTimeout: '3600s' }],
      ['WorkflowExecutionTimedOut', { retryState: 'RETRY_STATE_IN_PROGRESS' }, 3600],
    ]),
    { detail: 'The run’s time limit was 1 h. Temporal has started the run again.' },
  ],
  'run-terminated': [
    runOf([...started, ['WorkflowExecutionTerminated', { identity: 'ada', reason: 'duplicate' }]]),
    { detail: 'By ada. Reason: duplicate.', eventId: 5 },
  ],
  'run-canceled': [
    runOf([
      ...started,
      ['WorkflowExecutionCancelRequested', { identity: 'ada', cause: 'no stock' }],
      ['WorkflowExecutionCanceled', {}],
    ]),
    { detail: 'By ada. Reason: no stock.', eventId: 5 },
  ],
  'codec-stuck': [
    runOf([...started, scheduled], pending({ attempt: 7, lastFailure: kmsError('key_disabled', 0) })),
    { title: reasons.key_disabled.title, attempt: 7, place: { name: 'charge', eventId: 5 } },
  ],
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
    { queue: 'orders', since: START + 4000, detail: 'No worker polls the task queue.' },
  ],
  'start-delayed': [
    runOf([['WorkflowExecutionStarted', { firstWorkflowTaskBackoff: '3600s' }]]),
    { eventId: 1, since: START, nextAt: START + 3_600_000 },
  ],
  'task-open': [
    { ...runOf([...started, ['WorkflowTaskScheduled']]), now: START + 5000 },
    { title: 'Workflow task waits for a worker', eventId: 5, queue: 'orders', since: START + 4000 },
  ],
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
      pending({ attempt: 2, paused: true, pauseInfo: { manual: { identity: 'ada', reason: 'audit' } } }),
    ),
    { detail: 'By ada. Reason: audit.', place: { name: 'charge' } },
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
  'timer-overdue': [runOf([...started, timer('10s')]), { nextAt: START + 14_000, place: { name: '#1' } }],
  'cancel-requested': [
    runOf([...started, ['WorkflowExecutionCancelRequested', { identity: 'ada', cause: 'no stock' }]]),
    { eventId: 5, detail: 'By ada. Reason: no stock.' },
  ],
  'activity-open': [
    runOf(
      [...started, scheduled],
      pending({ state: 'PENDING_ACTIVITY_STATE_STARTED', attempt: 1, lastWorkerIdentity: 'worker-7' }),
    ),
    { place: { name: 'charge', worker: 'worker-7' }, since: START + 4000 },
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
  'update-open': [runOf([...started, updateAccepted]), { place: { name: 'approve' }, eventId: 5 }],
  'timer-open': [runOf([...started, timer('900s')]), { nextAt: START + 904_000 }],
  'signal-not-delivered': [
    runOf([...started, signal, ['WorkflowTaskScheduled']]),
    { place: { kind: 'signal', name: 'approve' }, eventId: 5, since: START + 4000 },
  ],
  'signal-without-effect': [
    runOf([...started, signal, ...taskAt(6)]),
    { place: { name: 'approve' }, eventId: 5 },
  ],
  'nothing-pending': [runOf(started), { eventId: 4, since: START + 3000 }],
  slow: [
    runOf(chargedFor(60), {
      usual: {
        count: 50,
        median: 6700,
        p95: 12_000,
        path: {
          steps: [
            { group: 2, work: 1000, queue: 1000, retry: 0, idle: 0 },
            { group: 5, work: 40_000, queue: 20_000, retry: 0, idle: 0 },
          ],
        },
      },
    }),
    {
      title: 'Slower than usual: 1 min 4 s, median 6.7 s of the last 50 runs',
      place: { kind: 'activity', name: 'charge' },
      eventId: 5,
      detail: 'The longest step on the critical path: 40 s working, 20 s waiting for a worker.',
    },
  ],
  'failure-in-plaintext': [
    runOf([
      ...started,
      scheduled,
      [
        'ActivityTaskFailed',
        {
          scheduledEventId: '5',
          failure: application('CardDeclined', 'Card 4111', { source: 'TypeScriptSDK' }),
        },
      ],
    ]),
    { eventId: 6 },
  ],
  'failed-steps': [
    runOf([
      ...started,
      scheduled,
      ['ActivityTaskStarted', { scheduledEventId: '5', attempt: 1 }],
      ['ActivityTaskFailed', { scheduledEventId: '5', failure: application('CardDeclined', 'declined') }],
      ...Array.from({ length: 780 }, (): Recorded => ['WorkflowExecutionSignaled', {}]),
      ['WorkflowExecutionCompleted', {}],
    ]),
    {
      title: '1 failure in 781 steps',
      detail: '#7',
      eventId: 7,
      place: { name: 'charge' },
      cause: { type: 'CardDeclined' },
    },
  ],
};

const rulesOf = (run: WhyRun) => explain(run).findings.map(({ rule }) => rule);

describe('explain', () => {
  it.each(rules.map(({ id }) => id))('finds %s', (id) => {
    const [run, found] = cases[id];
    expect(explain(run).findings.find(({ rule }) => rule === id)).toMatchObject(found);
  });

  it('finds nothing in a run that completed without a failure', () => {
    const run = runOf([
      ...started,
      scheduled,
      ['ActivityTaskStarted', { scheduledEventId: '5', attempt: 1 }],
      ['ActivityTaskCompleted', { scheduledEventId: '5' }],
      ['WorkflowTaskScheduled'],
      ['WorkflowTaskStarted', { scheduledEventId: '8' }],
      ['WorkflowTaskCompleted', { scheduledEventId: '8', startedEventId: '9' }],
      ['WorkflowExecutionCompleted', {}],
    ]);
    expect(explain(run)).toMatchObject({ state: 'fine', findings: [], refs: [] });
  });

  it.each([
    ['took twice the median', 10, { count: 50, median: 7000, p95: 8000 }],
    ['is among the slowest 5 % of its type', 60, { count: 50, median: 7000, p95: 64_000 }],
    ['has too few completed runs to compare with', 60, { count: 2, median: 7000, p95: 8000 }],
  ])('does not call a run slow that %s', (_, seconds, usual) => {
    expect(rulesOf(runOf(chargedFor(seconds), { usual }))).toEqual([]);
  });

  it('measures an open run until now, along the path to the step that the run waits for', () => {
    const run = runOf([...started, timer('900s')], { usual: { count: 9, median: 20_000, p95: 30_000 } });
    expect(explain({ ...run, now: START + 41_000 })).toMatchObject({
      state: 'waits',
      findings: [
        { rule: 'timer-open' },
        { title: 'Slower than usual: 41 s, median 20 s of the last 9 runs' },
      ],
    });
    expect(rulesOf({ ...run, now: START + 40_000 })).toEqual(['timer-open']);
  });

  it.each([
    ['messages', {}],
    ['its delayed start or for messages', { firstWorkflowTaskBackoff: '60s' }],
  ])('names no step if a slow run waited for %s', (what, attributes) => {
    const steps = [{ group: 0, work: 0, queue: 0, retry: 0, idle: 60_000 }];
    const usual = { count: 9, median: 1, p95: 2, path: { steps } };
    const recorded: Recorded[] = [['WorkflowExecutionStarted', attributes], ...chargedFor(60).slice(1)];
    const [found] = explain(runOf(recorded, { usual })).findings;
    expect(found).toMatchObject({ rule: 'slow', detail: `The run waited 1 min for ${what}.` });
    expect(found).not.toHaveProperty('place');
  });

  it.each([
    [
      'activityFailureInfo',
      { scheduledEventId: '5', activityType: { name: 'charge' } },
      'An attempt took longer than its time limit.',
    ],
    [
      'childWorkflowExecutionFailureInfo',
      { initiatedEventId: '5', workflowType: { name: 'ship' } },
      'The child workflow exceeded its time limit.',
    ],
    [
      'nexusOperationExecutionFailureInfo',
      { scheduledEventId: '5', service: 'bank', operation: 'pay' },
      'The Nexus operation exceeded its time limit.',
    ],
  ])('states which time limit a step with %s exceeded', (member, info, detail) => {
    const cause = { message: 'timeout', timeoutFailureInfo: { timeoutType: 'TIMEOUT_TYPE_START_TO_CLOSE' } };
    const failure = { message: 'step failed', [member]: info, cause };
    const [found] = explain(runOf([...started, ['WorkflowExecutionFailed', { failure }]])).findings;
    expect(found).toMatchObject({ rule: 'run-failed', detail });
  });

  it('reports an activity as in progress if it runs again after its worker was shut down', () => {
    const [found] = explain(interrupted('PENDING_ACTIVITY_STATE_STARTED')).findings;
    expect(found).toMatchObject({ rule: 'activity-open', attempt: 2, cause: undefined });
    expect(rulesOf(interrupted('PENDING_ACTIVITY_STATE_SCHEDULED'))).toEqual(['activity-retries']);
  });

  it('reports each step under only one rule', () => {
    for (const [id, [run]] of Object.entries(cases)) {
      const steps = explain(run).findings.filter(({ severity }) => severity !== 'note');
      const events = steps
        .map(({ place, eventId }) => place && eventId)
        .filter((event) => event !== undefined);
      expect([id, events]).toEqual([id, [...new Set(events)]]);
    }
  });

  it('does not report a failed workflow task if a reset wrote it, or if a later task completed', () => {
    expect(explain(runOf(taskFails('RESET_WORKFLOW'))).state).toBe('waits');
    const recovered = runOf([
      ...taskFails('UNHANDLED_COMMAND'),
      ['WorkflowTaskScheduled'],
      ['WorkflowTaskStarted', { scheduledEventId: '8' }],
      ['WorkflowTaskCompleted', { scheduledEventId: '8', startedEventId: '9' }],
    ]);
    expect(explain(recovered).state).toBe('waits');
  });

  it('does not report a task as timing out if the worker with the sticky task queue stopped', () => {
    const after: Recorded[] = [
      ...started,
      ['WorkflowTaskScheduled', { taskQueue: { name: 'sticky', kind: 'TASK_QUEUE_KIND_STICKY' } }],
      ['WorkflowTaskTimedOut', { scheduledEventId: '5', timeoutType: 'TIMEOUT_TYPE_SCHEDULE_TO_START' }],
      ['WorkflowTaskScheduled', { taskQueue: { name: 'orders' } }],
    ];
    const queues = [{ name: 'orders', kind: 'workflow', polling: false }] as const;
    expect(explain(runOf(after, { queues })).findings).toMatchObject([
      { rule: 'task-not-taken', eventId: 7, detail: 'No worker polls the task queue.' },
    ]);
    const taken = runOf([...after, ['WorkflowTaskStarted', { scheduledEventId: '7' }]], { queues });
    expect(explain(taken)).toMatchObject({
      state: 'waits',
      findings: [{ title: 'Workflow task in progress' }],
    });
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

  it("derives an error's step and class if the error contains neither", () => {
    const failure = {
      message: 'no price',
      stackTrace: 'app.js:6\n  throw error\n\nTypeError: no price\n    at own (/srv/app/p.ts:1:2)',
    };
    const start: Recorded[] = [
      ...started,
      ['MarkerRecorded', { markerName: 'core_local_activity', failure }],
    ];
    const end: Recorded = ['WorkflowExecutionFailed', { failure }];
    expect(explain(runOf([...start, end])).findings).toMatchObject([
      {
        rule: 'run-failed',
        cause: { kind: 'Failure', type: 'TypeError' },
        place: { kind: 'local', eventId: 5 },
      },
    ]);
    const signals = Array.from({ length: 40 }, (): Recorded => ['WorkflowExecutionSignaled', {}]);
    const large = explain(runOf([...start, ...signals, end])).findings.at(-1);
    expect(large).toMatchObject({ rule: 'failed-steps', title: '1 failure in 41 steps' });
    expect(large).not.toHaveProperty('cause');
  });

  it('states why Temporal did not start a child workflow', () => {
    const run = runOf([
      ...started,
      ['StartChildWorkflowExecutionInitiated', { workflowId: 'ship-7', workflowType: { name: 'ship' } }],
      [
        'StartChildWorkflowExecutionFailed',
        {
          initiatedEventId: '5',
          cause: 'START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS',
        },
      ],
      ['WorkflowExecutionCompleted', {}],
    ]);
    expect(explain(run).findings).toMatchObject([
      {
        rule: 'failed-steps',
        detail: '#6 (workflow already exists)',
        place: { kind: 'child', name: 'ship' },
      },
    ]);
  });

  it('keeps the first 20 findings of a rule, and counts the rest', () => {
    const many = runOf([...started, ...Array.from({ length: 2000 }, () => timer('90000s'))]);
    const { findings, more } = explain(many);
    expect([findings.length, more]).toEqual([20, { 'timer-open': 1980 }]);
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

  it('names a local activity once the payload with its name is readable', () => {
    const run = runOf([
      ...started,
      [
        'MarkerRecorded',
        {
          markerName: 'core_local_activity',
          details: { data: { payloads: [{ $payload: '5:0' }] } },
          failure: application('Bad', 'x'),
        },
      ],
      ['WorkflowExecutionFailed', { failure: application('Bad', 'x') }],
    ]);
    const locked = explain(run);
    expect([locked.refs, locked.locked]).toEqual([['5:0'], 1]);
    const read = explain({ ...run, read: reading({ '5:0': { activity_type: 'price' } }) });
    expect(read.findings[0]).toMatchObject({ rule: 'run-failed', place: { kind: 'local', name: 'price' } });
  });
});
