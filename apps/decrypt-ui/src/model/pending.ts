import type { PayloadRef, WorkflowDescription } from '@temporal-kms/codec-api';
import { at, enumAt, listAt, millisAt, numberAt, refsIn, textAt } from './values.ts';

/** An activity, Nexus operation or child that the server still works on; history alone doesn't tell its attempt. */
export interface PendingWork {
  readonly kind: 'activity' | 'nexus' | 'child';
  /** Joins the activity's `activityId`, or the head event's id for Nexus operations and children. */
  readonly id: string;
  readonly name: string;
  readonly state: string;
  /** 1 for the first; 0 when it doesn't apply. */
  readonly attempt: number;
  readonly maximumAttempts: number | undefined;
  readonly scheduledAt: number | undefined;
  readonly lastStartedAt: number | undefined;
  readonly lastHeartbeatAt: number | undefined;
  readonly nextAttemptAt: number | undefined;
  readonly worker: string | undefined;
  /** A failure in proto3 JSON with placeholders; undefined when none is known. */
  readonly lastFailure: unknown;
  readonly heartbeat: readonly PayloadRef[];
  readonly paused: boolean;
}

export function pendingWork(description: WorkflowDescription | undefined): PendingWork[] {
  const details = description?.details;
  return [
    ...listAt(details, 'pendingActivities').map(activity),
    ...listAt(details, 'pendingNexusOperations').map(nexus),
    ...listAt(details, 'pendingChildren').map(child),
  ];
}

function activity(value: unknown): PendingWork {
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
    lastStartedAt: millisAt(value, 'lastAttemptCompleteTime'),
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
  };
}
