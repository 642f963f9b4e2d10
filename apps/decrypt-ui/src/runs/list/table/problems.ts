import { millisOf } from '@temporal-kms/histories/events/proto-json';
import {
  escapeInvisible,
  LONG_WAIT_MS,
  type RunProgress,
  type RunTaskQueue,
  type WorkflowSummary,
} from '@temporal-kms/codec-api';
import { formatTicking } from '../../../ui/format/duration.ts';

/** Why a running workflow makes no progress. */
export interface Problem {
  /** A few words for the row. */
  readonly text: string;
  /** A sentence for the tooltip. */
  readonly detail: string;
}

/** From this attempt on, an activity or a Nexus operation is unlikely to recover by itself. */
const MANY_ATTEMPTS = 5;
/** The same limit for workflow tasks, which are attempted again only if a worker failed or lost them. */
const MANY_TASK_ATTEMPTS = 3;

/**
 * Returns the problem that Temporal reports in its list. After five failed workflow tasks, Temporal sets the
 * search attribute `TemporalReportedProblems` to values such as
 * `cause=WorkflowTaskFailedCauseNonDeterministicError`.
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

/** Returns the problem that a run's progress shows: no worker takes its tasks, or its tasks fail repeatedly. */
export function progressProblem(
  { task, retrying, untaken, taskQueues }: RunProgress,
  now: number,
): Problem | undefined {
  if (task && task.attempt >= MANY_TASK_ATTEMPTS) {
    return {
      text: `Task fails ×${task.attempt - 1}`,
      detail: `Workers have failed the workflow task ${task.attempt - 1} times. The history shows why.`,
    };
  }
  const queuesOf = (kind: RunTaskQueue['kind']) => taskQueues.filter((queue) => queue.kind === kind);
  const untakenTask = task?.taken === false ? task : undefined;
  const problem = waiting('the workflow task', untakenTask?.since, queuesOf('workflow'), now);
  if (problem) return problem;
  if (retrying && retrying.attempt >= MANY_ATTEMPTS) {
    const name = escapeInvisible(retrying.name);
    const most = retrying.maximumAttempts ? ` of ${retrying.maximumAttempts}` : '';
    return {
      text: `Retrying ×${retrying.attempt - 1}`,
      detail: `${name} has failed ${retrying.attempt - 1} times; this is attempt ${retrying.attempt}${most}.`,
    };
  }
  return untaken && waiting(escapeInvisible(untaken.name), untaken.since, queuesOf('activity'), now);
}

/**
 * Returns why a task is waiting, worded as on the run's page: the task queue has no worker, or its workers have
 * not taken the task.
 */
function waiting(
  what: string,
  since: string | undefined,
  taskQueues: readonly RunTaskQueue[],
  now: number,
): Problem | undefined {
  const start = millisOf(since);
  if (start === undefined || now - start < LONG_WAIT_MS) return undefined;
  const text = roughly(now - start);
  const time = formatTicking(now - start);
  const unpolled = taskQueues.find(({ polling }) => !polling);
  if (unpolled) {
    return {
      text: `No worker ${text}`,
      detail: `No worker is polling the task queue ${escapeInvisible(unpolled.name)}, where ${what} has waited for ${time}.`,
    };
  }
  const [queue] = taskQueues;
  return {
    text: `Not taken ${text}`,
    detail: queue
      ? `Workers are polling the task queue ${escapeInvisible(queue.name)}, but none has taken ${what} for ${time}. They may be busy.`
      : `No worker has taken ${what} for ${time}.`,
  };
}

/** Formats a duration in its largest unit, because the column is narrow: `40 s`, `4 m`, `2 h`, `3 d`. */
function roughly(millis: number): string {
  const seconds = Math.floor(millis / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}
