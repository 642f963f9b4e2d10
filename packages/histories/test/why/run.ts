import type { Attributes, PayloadRef } from '@temporal-kms/codec-api';
import { closedAs } from '../../src/events/run-ends.ts';
import { groupEvents, type RunEvent } from '../../src/events/groups.ts';
import { allLocked, type Reading, type WhyRun } from '../../src/why/facts/run.ts';

export const START = Date.parse('2030-01-31T12:00:00Z');

/** The name of an event, its attributes, and the seconds since the run started. */
export type Recorded = readonly [name: string, attributes?: Attributes, after?: number];

/** Returns events with ids from 1. An event without a time occurs a second after the previous event. */
function events(...recorded: readonly Recorded[]): RunEvent[] {
  let last = -1;
  return recorded.map(([eventName, attributes = {}, after = last + 1], index) => {
    last = after;
    return { eventId: index + 1, eventName, attributes, at: START + after * 1000 };
  });
}

/** Events 1 to 4: the start of a run and its first workflow task. */
export const started: readonly Recorded[] = [
  ['WorkflowExecutionStarted', { taskQueue: { name: 'orders' }, workflowType: { name: 'order' } }],
  ['WorkflowTaskScheduled', { taskQueue: { name: 'orders' } }],
  ['WorkflowTaskStarted', { scheduledEventId: '2' }],
  ['WorkflowTaskCompleted', { scheduledEventId: '2', startedEventId: '3' }],
];

/** Returns an application failure, with an encrypted message if `ref` is given. */
export const application = (
  type: string,
  text: string,
  extra: Attributes = {},
  ref?: string,
): Attributes => ({
  applicationFailureInfo: { type },
  ...(ref === undefined
    ? { message: text, stackTrace: `${type}: ${text}\n    at capture (/srv/app/capture.ts:88:11)\n` }
    : { message: 'Encoded failure', encodedAttributes: { $payload: ref } }),
  ...extra,
});

/**
 * Returns an encrypted error of Cloud KMS as the codec and the SDK's failure converter write it: with the gRPC
 * status as its cause.
 */
export const kmsError = (code: string, event: number): Attributes => ({
  message: 'Encoded failure',
  source: 'TypeScriptSDK',
  encodedAttributes: { $payload: `${event}:1` },
  applicationFailureInfo: { type: `KmsCodecError:${code}` },
  cause: {
    message: 'Encoded failure',
    source: 'TypeScriptSDK',
    encodedAttributes: { $payload: `${event}:0` },
  },
});

export const activityFailure = (cause: Attributes, scheduled = 5): Attributes => ({
  message: 'Activity task failed',
  activityFailureInfo: {
    scheduledEventId: String(scheduled),
    activityType: { name: 'charge' },
    activityId: '1',
    retryState: 'RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED',
    identity: 'worker-7',
  },
  cause,
});

export const scheduled: Recorded = [
  'ActivityTaskScheduled',
  {
    activityId: '1',
    activityType: { name: 'charge' },
    taskQueue: { name: 'pay' },
    workflowTaskCompletedEventId: '4',
  },
];

/** A run whose workflow task, event 7, fails. */
export const taskFails = (
  cause: string,
  failure: object = application('Error', 'x is undefined'),
): Recorded[] => [
  ...started,
  ['WorkflowTaskScheduled', {}, 10],
  ['WorkflowTaskStarted', { scheduledEventId: '5' }, 11],
  [
    'WorkflowTaskFailed',
    { scheduledEventId: '5', cause: `WORKFLOW_TASK_FAILED_CAUSE_${cause}`, failure },
    12,
  ],
];

export const timer = (duration: string): Recorded => [
  'TimerStarted',
  { timerId: '1', startToFireTimeout: duration },
];

export const signal: Recorded = ['WorkflowExecutionSignaled', { signalName: 'approve' }];

export const updateAccepted: Recorded = [
  'WorkflowExecutionUpdateAccepted',
  { acceptedRequest: { input: { name: 'approve' } } },
];

/** Returns the events of a completed workflow task. @param id the id of the first event */
export const taskAt = (id: number): Recorded[] => [
  ['WorkflowTaskScheduled', {}],
  ['WorkflowTaskStarted', { scheduledEventId: String(id) }],
  ['WorkflowTaskCompleted', { scheduledEventId: String(id), startedEventId: String(id + 1) }],
];

/**
 * Returns a run with these events. The last event determines the status; `now` is a minute after that event.
 */
export function runOf(recorded: readonly Recorded[], parts: Partial<WhyRun> = {}): WhyRun {
  const all = events(...recorded);
  const last = all.at(-1);
  return {
    events: all,
    groups: groupEvents(all),
    status: closedAs(last?.eventName ?? '') ?? 'Running',
    read: allLocked,
    now: (last?.at ?? START) + 60_000,
    ...parts,
  };
}

/** Returns a reader of payloads from a table of JSON values. */
export const reading =
  (values: Readonly<Record<string, unknown>>) =>
  (ref: PayloadRef): Reading =>
    ref in values ? { status: 'readable', value: values[ref] } : { status: 'locked' };

/** Returns the description of a run with a pending activity. */
export const pending = (activity: object) => ({
  details: { pendingActivities: [{ activityId: '1', activityType: { name: 'charge' }, ...activity }] },
});

/** Returns the time this many seconds after the start of a run. */
export const time = (after: number) => new Date(START + after * 1000).toISOString();

/**
 * Returns a completed run with an activity that took this many seconds. The whole run took four seconds more.
 */
export const chargedFor = (seconds: number): Recorded[] => [
  ...started,
  ['ActivityTaskScheduled', scheduled[1] ?? {}, 4],
  ['ActivityTaskStarted', { scheduledEventId: '5', attempt: 1 }, 4],
  ['ActivityTaskCompleted', { scheduledEventId: '5' }, 4 + seconds],
  ['WorkflowExecutionCompleted', {}, 4 + seconds],
];
