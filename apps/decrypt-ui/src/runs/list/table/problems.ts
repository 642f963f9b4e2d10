import { pendingWork } from '@temporal-kms/histories/events/pending';
import { at, enumAt, millisAt, numberAt } from '@temporal-kms/histories/events/proto-json';
import {
  escapeInvisible,
  type RunTaskQueue,
  type WorkflowDescription,
  type WorkflowSummary,
} from '@temporal-kms/codec-api';
import { at, enumAt, millisAt, numberAt } from '../../../payloads/value/proto-json.ts';
import { MANY_ATTEMPTS, pendingWork } from '../../events/pending.ts';

/** Why a running workflow makes no progress. */
export interface Problem {
  /** A few words for the row. */
  readonly text: string;
  /** A sentence for the tooltip. */
  readonly detail: string;
  /** What waits for a worker, and for how long: the pollers of its task queue show why. */
  readonly waits?: { readonly what: string; readonly time: string };
}

/** A workflow task is attempted again only if a worker failed it or lost it. */
const MANY_TASK_ATTEMPTS = 3;
/** Milliseconds. A worker that polls takes a task within a second; a sticky task queue delays it by 10 s at most. */
const LONG_WAIT = 30_000;

/**
 * The problem that Temporal reports for a run in its list: after five failed workflow tasks it sets the search attribute
 * `TemporalReportedProblems` to values such as `cause=WorkflowTaskFailedCauseNonDeterministicError`.
 */
export function reportedProblem({ searchAttributes }: WorkflowSummary): Problem | undefined {
  const reported = searchAttributes['TemporalReportedProblems'];
  if (!Array.isArray(reported) || reported.length === 0) return undefined;
  const values = reported.filter((value) => typeof value === 'string');
  const field = (name: string) =>
    values.find((value) => value.startsWith(`${name}=`))?.slice(name.length + 1);
  const cause = field('cause')?.replace(/^WorkflowTask(?:Failed|TimedOut)Cause/, '');
  const timedOut = field('category') === 'WorkflowTaskTimedOut';
  return {
    text: timedOut ? 'Task times out' : 'Task fails',
    detail: `Temporal reports that the workflow task ${timedOut ? 'times out' : 'fails'} repeatedly${
      cause ? `: ${cause}` : ''
    }.`,
  };
}

/** The problem that a run's description shows: no worker takes its work, or its work fails again and again. */
export function describedProblem(
  description: WorkflowDescription | undefined,
  now: number,
): Problem | undefined {
  const task = at(description?.details, 'pendingWorkflowTask');
  return taskProblem(task, now) ?? activityProblem(description, now);
}

function taskProblem(task: unknown, now: number): Problem | undefined {
  const attempt = numberAt(task, 'attempt') ?? 0;
  if (attempt >= MANY_TASK_ATTEMPTS) {
    return {
      text: `Task fails ×${attempt - 1}`,
      detail: `Workers have failed the workflow task ${attempt - 1} times. The history shows why.`,
    };
  }
  const since = millisAt(task, 'originalScheduledTime') ?? millisAt(task, 'scheduledTime');
  const isWaiting = enumAt('PENDING_WORKFLOW_TASK_STATE_', task, 'state') === 'SCHEDULED';
  return isWaiting ? waiting('the workflow task', since, now) : undefined;
}

function activityProblem(description: WorkflowDescription | undefined, now: number): Problem | undefined {
  const pending = pendingWork(description).filter(({ kind, paused }) => kind !== 'child' && !paused);
  const worst = pending.toSorted((a, b) => b.attempt - a.attempt)[0];
  if (worst && worst.attempt >= MANY_ATTEMPTS) {
    const most = worst.maximumAttempts ? ` of ${worst.maximumAttempts}` : '';
    return {
      text: `Retrying ×${worst.attempt - 1}`,
      detail: `${worst.name} has failed ${worst.attempt - 1} times; this is attempt ${worst.attempt}${most}.`,
    };
  }
  const untaken = pending.find(({ state, attempt }) => state === 'SCHEDULED' && attempt <= 1);
  return untaken ? waiting(untaken.name, untaken.scheduledAt, now) : undefined;
}

function waiting(what: string, since: number | undefined, now: number): Problem | undefined {
  if (since === undefined || now - since < LONG_WAIT) return undefined;
  const time = roughly(now - since);
  return {
    text: `No worker ${time}`,
    detail: `No worker has taken ${what} for ${time}. Check that a worker polls the task queue.`,
    waits: { what, time },
  };
}

/** The same problem with its cause, which the pollers of the run's task queues show: no worker, or busy workers. */
export function waitingProblem(problem: Problem, taskQueues: readonly RunTaskQueue[] | undefined): Problem {
  const { waits } = problem;
  const queues = taskQueues?.filter((queue) => queue.waiting > 0) ?? [];
  const [first] = queues;
  if (!waits || !first) return problem;
  const { what, time } = waits;
  const unpolled = queues.find(({ polling }) => !polling);
  return unpolled
    ? {
        ...problem,
        text: `No pollers ${time}`,
        detail: `${capital(what)} has waited for ${time}, and no worker polls the task queue ${escapeInvisible(unpolled.name)}.`,
      }
    : {
        ...problem,
        text: `Not taken ${time}`,
        detail: `Workers poll the task queue ${escapeInvisible(first.name)}, but none has taken ${what} for ${time}. They may be busy.`,
      };
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** In the largest unit, because the text is for a narrow column: `40 s`, `4 m`, `2 h`, `3 d`. */
function roughly(millis: number): string {
  const seconds = Math.floor(millis / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}
