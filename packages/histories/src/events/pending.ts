import type { PayloadRef, WorkflowDescription } from '@temporal-kms/codec-api';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import { at, durationAt, enumAt, listAt, millisAt, numberAt, refsIn, textAt } from './proto-json.ts';

/**
 * An activity, Nexus operation or child workflow in progress. Its current attempt is recorded in the run's
 * description, not in the history.
 */
export interface PendingWork {
  readonly kind: 'activity' | 'nexus' | 'child';
  /**
   * For an activity, its `activityId`; for a Nexus operation or a child, the event id of the group's head.
   */
  readonly id: string;
  readonly name: string;
  readonly state: string;
  /** The number of the current attempt, from 1; 0 for a child workflow, which has no attempts. */
  readonly attempt: number;
  readonly maximumAttempts: number | undefined;
  readonly scheduledAt: number | undefined;
  readonly lastStartedAt: number | undefined;
  readonly lastHeartbeatAt: number | undefined;
  readonly nextAttemptAt: number | undefined;
  readonly worker: string | undefined;
  /** The last attempt's failure in proto3 JSON with placeholders; undefined if no attempt has failed. */
  readonly lastFailure: unknown;
  readonly heartbeat: readonly PayloadRef[];
  readonly paused: boolean;
  /** When the activity was paused, in milliseconds since 1970, by whom, and why. */
  readonly pausedAt?: number | undefined;
  readonly pausedBy?: string | undefined;
  readonly pauseReason?: string | undefined;
  readonly cancelRequested?: boolean;
  /** When the last attempt ended, in milliseconds since 1970. */
  readonly lastEndedAt?: number | undefined;
  /** Milliseconds between the last attempt and the next attempt. */
  readonly retryInterval?: number | undefined;
  /** When Temporal stops retrying regardless of the number of attempts, in milliseconds since 1970. */
  readonly expiresAt?: number | undefined;
  /** Why Temporal does not attempt the Nexus operation. */
  readonly blocked?: string | undefined;
  readonly endpoint?: string | undefined;
  /** The ids of the child workflow's run. */
  readonly child?: { readonly workflowId: string; readonly runId: string };
}

/** Returns the pending work in a run's description. */
export function pendingWork(description: Pick<WorkflowDescription, 'details'> | undefined): PendingWork[] {
  const details = description?.details;
  return [
    ...listAt(details, 'pendingActivities').map(activity),
    ...listAt(details, 'pendingNexusOperations').map(nexus),
    ...listAt(details, 'pendingChildren').map(child),
  ];
}

function activity(value: unknown): PendingWork {
  const pause = at(value, 'pauseInfo');
  return {
    kind: 'activity',
    id: textAt(value, 'activityId') ?? '',
    name: textAt(value, 'activityType', 'name') ?? 'Activity',
    state: enumAt('PENDING_ACTIVITY_STATE_', value, 'state') ?? 'SCHEDULED',
    attempt: numberAt(value, 'attempt') ?? 1,
    heartbeat: refsIn(at(value, 'heartbeatDetails')),
    paused: at(value, 'paused') === true,
    maximumAttempts: numberAt(value, 'maximumAttempts') || undefined,
    scheduledAt: millisAt(value, 'scheduledTime'),
    lastStartedAt: millisAt(value, 'lastStartedTime'),
    lastHeartbeatAt: millisAt(value, 'lastHeartbeatTime'),
    nextAttemptAt: millisAt(value, 'nextAttemptScheduleTime'),
    worker: textAt(value, 'lastWorkerIdentity'),
    lastFailure: at(value, 'lastFailure') ?? undefined,
    pausedAt: millisAt(pause, 'pauseTime'),
    pausedBy: textAt(pause, 'manual', 'identity') ?? textAt(pause, 'rule', 'identity'),
    pauseReason: textAt(pause, 'manual', 'reason') ?? textAt(pause, 'rule', 'reason'),
    cancelRequested: enumAt('PENDING_ACTIVITY_STATE_', value, 'state') === 'CANCEL_REQUESTED',
    lastEndedAt: millisAt(value, 'lastAttemptCompleteTime'),
    retryInterval: durationAt(value, 'currentRetryInterval'),
    expiresAt: millisAt(value, 'expirationTime'),
  };
}

function nexus(value: unknown): PendingWork {
  return {
    kind: 'nexus',
    id: String(numberAt(value, 'scheduledEventId') ?? ''),
    name: [textAt(value, 'service'), textAt(value, 'operation')].filter(Boolean).join('.'),
    state: enumAt('PENDING_NEXUS_OPERATION_STATE_', value, 'state') ?? 'SCHEDULED',
    attempt: numberAt(value, 'attempt') ?? 1,
    heartbeat: [],
    paused: false,
    scheduledAt: millisAt(value, 'scheduledTime'),
    lastStartedAt: undefined,
    lastEndedAt: millisAt(value, 'lastAttemptCompleteTime'),
    cancelRequested: isRecord(at(value, 'cancellationInfo')),
    blocked: textAt(value, 'blockedReason'),
    endpoint: textAt(value, 'endpoint'),
    nextAttemptAt: millisAt(value, 'nextAttemptScheduleTime'),
    lastFailure: at(value, 'lastAttemptFailure') ?? undefined,
    maximumAttempts: undefined,
    lastHeartbeatAt: undefined,
    worker: undefined,
  };
}

function child(value: unknown): PendingWork {
  return {
    kind: 'child',
    id: String(numberAt(value, 'initiatedId') ?? ''),
    name: textAt(value, 'workflowTypeName') ?? textAt(value, 'workflowId') ?? 'Child',
    state: 'STARTED',
    attempt: 0,
    heartbeat: [],
    paused: false,
    maximumAttempts: undefined,
    scheduledAt: undefined,
    lastStartedAt: undefined,
    lastHeartbeatAt: undefined,
    nextAttemptAt: undefined,
    worker: undefined,
    lastFailure: undefined,
    ...childRun(value),
  };
}

function childRun(value: unknown): Pick<PendingWork, 'child'> {
  const workflowId = at(value, 'workflowId');
  const runId = at(value, 'runId');
  return typeof workflowId === 'string' && typeof runId === 'string' && runId !== ''
    ? { child: { workflowId, runId } }
    : {};
}
