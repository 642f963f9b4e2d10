import type { RunTaskQueue, WorkflowDescription } from '@temporal-kms/codec-api';
import {
  at,
  enumAt,
  MANY_ATTEMPTS,
  millisAt,
  millisOf,
  numberAt,
  type PendingWork,
  pendingWork,
  textAt,
} from '@temporal-kms/histories/events';
import { sentence } from '../../payloads/value/attribute-words.ts';
import { failureAttributes } from '../events/describe-group.ts';
import type { RecordedEvent } from '../events/history.ts';

/** What needs the reader's attention about a run as a whole. */
export type RunAlert =
  | {
      readonly kind: 'cancelRequested';
      readonly at: number | undefined;
      readonly by: string | undefined;
      readonly reason: string | undefined;
      readonly eventId: number | undefined;
    }
  | {
      readonly kind: 'paused';
      readonly at: number | undefined;
      readonly by: string | undefined;
      readonly reason: string | undefined;
    }
  | { readonly kind: 'reset'; readonly runId: string }
  | { readonly kind: 'noPollers'; readonly queue: RunTaskQueue }
  | {
      readonly kind: 'retries';
      /** What has failed most often. */
      readonly work: PendingWork;
      /** How much more work fails again and again. */
      readonly others: number;
    }
  | {
      readonly kind: 'taskFailure';
      /** The number of the attempt that Temporal makes next. */
      readonly attempt: number;
      readonly since: number | undefined;
      /** The event of the failure; absent where the history does not contain it. */
      readonly event: RecordedEvent | undefined;
      readonly failure: unknown;
      readonly cause: string | undefined;
    };

interface AlertSources {
  readonly description: WorkflowDescription;
  readonly events: readonly RecordedEvent[];
  readonly open: boolean;
  /** The task queues on which the run depends, as far as they are known. */
  readonly taskQueues?: readonly RunTaskQueue[];
}

/** The alerts of a run, the most urgent first. */
export function runAlerts({ description, events, open, taskQueues = [] }: AlertSources): RunAlert[] {
  const { details, relations, workflow } = description;
  const alerts: RunAlert[] = [];
  const task = open ? taskFailure(description, events) : undefined;
  if (task) alerts.push(task);
  const [work, ...others] = open ? retried(description) : [];
  if (work) alerts.push({ kind: 'retries', work, others: others.length });
  for (const queue of open ? taskQueues : []) {
    if (!queue.polling) alerts.push({ kind: 'noPollers', queue });
  }
  const pause = at(details, 'workflowExtendedInfo', 'pauseInfo');
  if (workflow.status === 'Paused') {
    alerts.push({
      kind: 'paused',
      at: millisAt(pause, 'pausedTime'),
      by: textAt(pause, 'identity'),
      reason: textAt(pause, 'reason'),
    });
  }
  const request = events.findLast(({ eventName }) => eventName === 'WorkflowExecutionCancelRequested');
  if (open && (request || at(details, 'workflowExtendedInfo', 'cancelRequested') === true)) {
    alerts.push({
      kind: 'cancelRequested',
      at: request?.at,
      by: textAt(request?.attributes, 'identity'),
      reason: textAt(request?.attributes, 'cause') ?? textAt(request?.attributes, 'reason'),
      eventId: request?.eventId,
    });
  }
  if (relations.resetRunId) alerts.push({ kind: 'reset', runId: relations.resetRunId });
  return alerts;
}

/** The pending work that fails again and again, the most attempts first. */
const retried = (description: WorkflowDescription): PendingWork[] =>
  pendingWork(description)
    .filter(({ attempt, paused }) => attempt >= MANY_ATTEMPTS && !paused)
    .toSorted((a, b) => b.attempt - a.attempt);

const taskEnds: ReadonlySet<string> = new Set([
  'WorkflowTaskCompleted',
  'WorkflowTaskFailed',
  'WorkflowTaskTimedOut',
]);

/**
 * The failure of the latest workflow task, unless a later one has completed. Temporal records the first failure only; the
 * description counts the attempts after it.
 */
function taskFailure(
  { details }: WorkflowDescription,
  events: readonly RecordedEvent[],
): RunAlert | undefined {
  const pending = at(details, 'pendingWorkflowTask');
  const attempt = numberAt(pending, 'attempt') ?? 1;
  const last = events.findLast(({ eventName }) => taskEnds.has(eventName));
  const failed = last && last.eventName !== 'WorkflowTaskCompleted' && !isReset(last) ? last : undefined;
  if (!failed && attempt <= 1) return undefined;
  return {
    kind: 'taskFailure',
    attempt: Math.max(attempt, 2),
    since: failed?.at ?? millisOf(at(pending, 'originalScheduledTime')),
    event: failed,
    failure: failed && failureAttributes(failed),
    cause:
      failed?.eventName === 'WorkflowTaskTimedOut'
        ? 'Timed out'
        : sentence(enumAt('WORKFLOW_TASK_FAILED_CAUSE_', failed?.attributes, 'cause')),
  };
}

/** A reset writes a failed workflow task where the new run begins; it is not a fault. */
const isReset = ({ attributes }: RecordedEvent) =>
  enumAt('WORKFLOW_TASK_FAILED_CAUSE_', attributes, 'cause') === 'RESET_WORKFLOW';
