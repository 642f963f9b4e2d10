import { at, enumAt, millisAt, textAt } from '../../events/proto-json.ts';
import type { Fact } from '../facts/finding.ts';
import { isOpen, type WhyQueue, type WhyRun } from '../facts/run.ts';
import {
  endOfRun,
  endTime,
  type FailingTask,
  failingTask,
  isForceClosed,
  LONG_WAIT,
  waitsAt,
} from '../facts/sources.ts';
import { byWhom, inWords } from '../facts/words.ts';

/** The reason why a workflow task fails. There is a separate rule for each reason. */
export type TaskProblem = 'nondeterminism' | 'deadlock' | 'timeout' | 'unhandled' | 'other';

/** Rule numbers that Temporal's SDKs write into messages: https://github.com/temporalio/rules */
const NONDETERMINISM = /^\[TMPRL1100\]/;
const DEADLOCK = /^\[TMPRL1101\]/;

function problemOf({ reason, cause }: FailingTask): TaskProblem {
  const message = cause?.message.status === 'readable' ? cause.message.text : '';
  if (reason === 'NON_DETERMINISTIC_ERROR' || NONDETERMINISM.test(message)) return 'nondeterminism';
  if (DEADLOCK.test(message) || cause?.type === 'DeadlockError') return 'deadlock';
  if (reason === 'TIMED_OUT') return 'timeout';
  return reason === 'UNHANDLED_COMMAND' ? 'unhandled' : 'other';
}

/**
 * Returns a function that reports a failing workflow task if the task has the given problem. There is a
 * separate rule for codec errors.
 */
export const taskFailing =
  (problem: TaskProblem) =>
  (run: WhyRun): Fact[] => {
    const task = failingTask(run);
    if (task === undefined || task.cause?.codec || problemOf(task) !== problem) return [];
    return [
      {
        cause: task.cause,
        eventId: task.event?.eventId,
        attempt: task.attempt,
        since: task.since,
        nextAt: undefined,
        queue: queueOf(run),
        detail:
          problem === 'other' && task.reason !== 'UNKNOWN'
            ? `Temporal’s cause: ${inWords(task.reason)}.`
            : undefined,
      },
    ];
  };

/** The task queue of the run's workflow tasks. */
const queueOf = ({ events }: Pick<WhyRun, 'events'>): string | undefined =>
  textAt(events[0]?.attributes, 'taskQueue', 'name');

/** Returns the workflow task that is open, or was open when the run ended, unless it fails. */
function openTask(run: WhyRun): { readonly isTaken: boolean; readonly fact: Fact } | undefined {
  if (!waitsAt(run) || failingTask(run) !== undefined) return undefined;
  const last = run.groups.findLast(({ category }) => category === 'task');
  const isLastOpen = last !== undefined && (last.open || last.events.some(isForceClosed));
  const pending = at(run.details, 'pendingWorkflowTask');
  if (pending === undefined && !isLastOpen) return undefined;
  const isTaken =
    pending === undefined
      ? (last?.events.length ?? 0) > 1
      : enumAt('PENDING_WORKFLOW_TASK_STATE_', pending, 'state') === 'STARTED';
  const since =
    millisAt(pending, 'originalScheduledTime') ?? millisAt(pending, 'scheduledTime') ?? last?.events[0].at;
  return { isTaken, fact: { eventId: isLastOpen ? last.id : undefined, since, queue: queueOf(run) } };
}

/**
 * Reports a workflow task that no worker has taken, if no worker polls the task queue or the task has waited
 * long.
 */
export function taskNotTaken(run: WhyRun): Fact[] {
  const task = openTask(run);
  if (task === undefined || task.isTaken) return [];
  // If the history contains the task but the description does not, the task is newer, or has just ended.
  if (isOpen(run) && run.details !== undefined && at(run.details, 'pendingWorkflowTask') === undefined)
    return [];
  const { since, queue } = task.fact;
  // The current pollers do not explain why a closed run waited.
  const queues = isOpen(run) ? run.queues : undefined;
  const unpolled = queues?.find(({ kind, polling }) => kind === 'workflow' && !polling);
  if (unpolled === undefined && (since === undefined || endTime(run) - since < LONG_WAIT)) return [];
  const name = unpolled?.name ?? queue;
  return [{ ...task.fact, queue: name, detail: pollersText({ queues }, 'workflow', name) }];
}

/** Reports a workflow task that a worker has taken, or will probably take soon. */
export function taskOpen(run: WhyRun): Fact[] {
  const task = openTask(run);
  if (task === undefined || taskNotTaken(run).length > 0) return [];
  const inProgress = isOpen(run) ? 'Workflow task in progress' : 'Workflow task was in progress';
  return [{ ...task.fact, title: task.isTaken ? inProgress : undefined }];
}

/** Returns a sentence that states whether workers poll a task queue; undefined if that is unknown. */
export function pollersText(
  { queues }: Pick<WhyRun, 'queues'>,
  kind: WhyQueue['kind'],
  name: string | undefined,
): string | undefined {
  const queue = queues?.find((one) => one.name === name && one.kind === kind);
  if (queue === undefined) return undefined;
  return queue.polling
    ? 'Workers are polling the task queue, but may be busy.'
    : 'No worker is polling the task queue.';
}

/** Reports who paused the run, and why. */
export function runPaused(run: WhyRun): Fact[] {
  if (run.status !== 'Paused') return [];
  const pause = at(run.details, 'workflowExtendedInfo', 'pauseInfo');
  const event = run.events.findLast(({ eventName }) => eventName === 'WorkflowExecutionPaused');
  const by = textAt(pause, 'identity') ?? textAt(event?.attributes, 'identity');
  const reason = textAt(pause, 'reason') ?? textAt(event?.attributes, 'reason');
  return [
    {
      eventId: event?.eventId,
      since: millisAt(pause, 'pausedTime') ?? event?.at,
      detail: byWhom(by, reason),
    },
  ];
}

/** Reports a cancellation request that the workflow has not acted on. */
export function cancelRequested(run: WhyRun): Fact[] {
  if (!isOpen(run)) return [];
  const request = run.events.findLast(({ eventName }) => eventName === 'WorkflowExecutionCancelRequested');
  if (request === undefined && at(run.details, 'workflowExtendedInfo', 'cancelRequested') !== true) return [];
  const { attributes } = request ?? {};
  const by = textAt(attributes, 'externalWorkflowExecution', 'workflowId') ?? textAt(attributes, 'identity');
  const reason = textAt(attributes, 'cause') ?? textAt(attributes, 'reason');
  return [{ eventId: request?.eventId, since: request?.at, detail: byWhom(by, reason) }];
}

/** Reports a run that nothing in its history or description will wake. */
export function nothingPending(run: WhyRun): Fact[] {
  if (run.status !== 'Running' || endOfRun(run) !== undefined || failingTask(run) !== undefined) return [];
  if (at(run.details, 'pendingWorkflowTask') !== undefined) return [];
  if (run.groups.some(({ open, category }) => open && category !== 'update')) return [];
  const task = run.events.findLast(({ eventName }) => eventName === 'WorkflowTaskCompleted');
  return task === undefined ? [] : [{ eventId: task.eventId, since: task.at }];
}
