import type { EventGroup, RunEvent } from '../../events/groups.ts';
import { at, enumAt, millisAt, numberAt, textAt } from '../../events/proto-json.ts';
import { closedAs, endsWait } from '../../events/run-ends.ts';
import { type PendingWork, pendingWork } from '../../events/pending.ts';
import { type Cause, causeOf, failureOf } from './cause.ts';
import { isOpen, type WhyRun } from './run.ts';

/**
 * Time in milliseconds after which a wait counts as long. A polling worker takes a task within a second, and
 * a sticky task queue delays the task by at most 10 s.
 */
export const LONG_WAIT = 30_000;

/*
 * A run's current failures are in three places: its last event, its failing workflow task, and the last
 * attempts of its pending work.
 */

/** The event that closed the run. */
export const endOfRun = ({ events }: Pick<WhyRun, 'events'>): RunEvent | undefined => {
  const last = events.at(-1);
  return last && closedAs(last.eventName) !== undefined ? last : undefined;
};

/** When the run ended, in milliseconds since 1970; for an open run, the current time. */
export const endTime = (run: WhyRun): number => endOfRun(run)?.at ?? run.now;

/**
 * Returns whether open steps explain the run's state. This is true for an open run, and for a run that timed
 * out or was terminated while it waited for the steps.
 */
export const waitsAt = (run: WhyRun): boolean => isOpen(run) || endsWait(endOfRun(run)?.eventName);

/**
 * Returns the failure that ended the run. On old servers, a run that Temporal retries ends with
 * `ContinuedAsNew`.
 */
export function runFailure(run: WhyRun): { readonly event: RunEvent; readonly cause: Cause } | undefined {
  const event = endOfRun(run);
  if (event === undefined || event.eventName === 'WorkflowExecutionCompleted') return undefined;
  const cause = causeOf(failureOf(event.attributes), run);
  return cause && { event, cause };
}

/** A workflow task that fails repeatedly. */
export interface FailingTask {
  /**
   * The latest failure in the history. Of consecutive failures, Temporal writes only the first into the
   * history; the description contains later attempts.
   */
  readonly event: RunEvent | undefined;
  /**
   * The reason for the failure, such as `NON_DETERMINISTIC_ERROR`, or `TIMED_OUT` if the worker did not
   * respond in time.
   */
  readonly reason: string;
  readonly cause: Cause | undefined;
  /** The number of Temporal's next attempt, from 2. Unknown for a closed run. */
  readonly attempt: number | undefined;
  readonly since: number | undefined;
}

/**
 * A reset records a failed workflow task where the new run begins. This failure does not count as an error.
 */
const isReset = ({ attributes }: Pick<RunEvent, 'attributes'>): boolean =>
  enumAt('WORKFLOW_TASK_FAILED_CAUSE_', attributes, 'cause') === 'RESET_WORKFLOW';

/**
 * Returns whether an event records an error of a workflow task. A task that no worker took in time is no
 * error: if a worker stops, for example because of a deployment, the task times out in that worker's sticky
 * task queue, and Temporal then schedules the task on the normal task queue.
 */
export function isTaskError(event: Pick<RunEvent, 'eventName' | 'attributes'>): boolean {
  const { eventName, attributes } = event;
  if (eventName === 'WorkflowTaskTimedOut')
    return enumAt('TIMEOUT_TYPE_', attributes, 'timeoutType') !== 'SCHEDULE_TO_START';
  return eventName === 'WorkflowTaskFailed' && !isReset(event);
}

/**
 * Returns whether Temporal ended a workflow task that a worker held, because Temporal closed the run or had too
 * many messages for it.
 */
export const isForceClosed = ({
  eventName,
  attributes,
}: Pick<RunEvent, 'eventName' | 'attributes'>): boolean =>
  eventName === 'WorkflowTaskFailed' &&
  enumAt('WORKFLOW_TASK_FAILED_CAUSE_', attributes, 'cause') === 'FORCE_CLOSE_COMMAND';

/** Returns a run's workflow task errors since a workflow task last completed, latest first. */
export function taskErrors<Event extends Pick<RunEvent, 'eventName' | 'attributes'>>(
  events: readonly Event[],
  isRunOpen: boolean,
): Event[] {
  const errors: Event[] = [];
  for (let index = events.length - 1; index >= 0; index -= 1) {
    const event = events[index];
    if (event === undefined) continue;
    if (event.eventName === 'WorkflowTaskCompleted') break;
    if (event.eventName === 'WorkflowTaskFailed' && isReset(event)) break;
    if (isTaskError(event) && (isRunOpen || !isForceClosed(event))) errors.push(event);
  }
  return errors;
}

/**
 * Returns the failing workflow task of a run that is open, timed out or was terminated, unless a later task
 * has completed.
 */
export function failingTask(run: WhyRun): FailingTask | undefined {
  if (!waitsAt(run)) return undefined;
  const pending = at(run.details, 'pendingWorkflowTask');
  const retries = numberAt(pending, 'attempt') ?? 1;
  const row = taskErrors(run.events, isOpen(run));
  const [event] = row;
  if (event === undefined && retries <= 1) return undefined;
  const isTimeout = event?.eventName === 'WorkflowTaskTimedOut';
  return {
    event,
    reason: isTimeout
      ? 'TIMED_OUT'
      : (enumAt('WORKFLOW_TASK_FAILED_CAUSE_', event?.attributes, 'cause') ?? 'UNKNOWN'),
    cause: event && causeOf(failureOf(event.attributes), run),
    attempt: isOpen(run) ? Math.max(retries, row.length + 1) : undefined,
    since: row.at(-1)?.at ?? millisAt(pending, 'originalScheduledTime'),
  };
}

/** Pending work from the description, with its group and the cause of its last failure. */
export interface PendingStep {
  readonly work: PendingWork;
  readonly group: EventGroup | undefined;
  readonly cause: Cause | undefined;
}

/**
 * Caches the pending work of each run, because several rules read it and a run may have 2,000 pending
 * activities.
 */
const known = new WeakMap<WhyRun, readonly PendingStep[]>();

/** Returns an open run's pending work, with the most attempts first. */
export function pendingSteps(run: WhyRun): readonly PendingStep[] {
  const steps = known.get(run) ?? findPending(run);
  known.set(run, steps);
  return steps;
}

function findPending(run: WhyRun): readonly PendingStep[] {
  if (!isOpen(run) || run.details === undefined) return [];
  const open = run.groups.filter((group) => group.open);
  const byId = new Map<string, EventGroup>();
  for (const group of open) {
    const activityId =
      group.category === 'activity' ? textAt(group.events[0].attributes, 'activityId') : undefined;
    byId.set(activityId === undefined ? `#${group.id}` : `activity ${activityId}`, group);
  }
  return pendingWork({ details: run.details })
    .map((work) => ({
      work,
      group: byId.get(work.kind === 'activity' ? `activity ${work.id}` : `#${work.id}`),
      cause: causeOf(work.lastFailure, run),
    }))
    .toSorted((a, b) => b.work.attempt - a.work.attempt);
}
