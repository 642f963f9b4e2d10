import { reasons } from '@temporal-kms/codec-api';
import type { RunEvent } from '../../events/groups.ts';
import { durationAt, enumAt, millisAt, textAt } from '../../events/proto-json.ts';
import { type Cause, causeOf, failureOf } from '../facts/cause.ts';
import type { Fact } from '../facts/finding.ts';
import type { Place } from '../facts/place.ts';
import { isOpen, type WhyRun } from '../facts/run.ts';
import { endOfRun, failingTask, pendingSteps, runFailure } from '../facts/sources.ts';
import { type Step, stepOf } from '../facts/step.ts';
import { byWhom, seconds } from '../facts/words.ts';

/**
 * Returns a function that reports errors of the codec and of Cloud KMS, which the table of reason codes
 * explains.
 */
export const codecErrors =
  (state: 'ended' | 'open') =>
  (run: WhyRun): Fact[] =>
    isOpen(run) === (state === 'open') ? codecFacts(run) : [];

function codecFacts(run: WhyRun): Fact[] {
  const ended = runFailure(run);
  const task = failingTask(run);
  const found: (Fact & { readonly cause: Cause })[] = [];
  if (ended?.cause.codec) {
    const { cause, event } = ended;
    const [place] = cause.places;
    const eventId = place?.eventId ?? event.eventId;
    found.push({ cause, place, eventId, attempt: place?.attempt, since: event.at });
  }
  if (task?.cause?.codec)
    found.push({ cause: task.cause, eventId: task.event?.eventId, attempt: task.attempt, since: task.since });
  for (const { work, group, cause } of pendingSteps(run)) {
    if (!cause?.codec) continue;
    found.push({
      cause,
      eventId: group?.id,
      attempt: work.attempt,
      nextAt: work.nextAttemptAt,
      place: { kind: work.kind, name: work.name, eventId: group?.id },
    });
  }
  return found.map((fact) => {
    const reason = reasons[fact.cause.codec ?? 'malformed'];
    return { ...fact, title: reason.title, detail: reason.meaning, remedy: reason.remedy };
  });
}

/** What each activity timeout means: https://docs.temporal.io/encyclopedia/detecting-activity-failures */
const timeouts: Readonly<Record<string, string>> = {
  'start to close': 'An attempt took longer than its time limit.',
  'schedule to start': 'No worker took the activity from the task queue in time.',
  'schedule to close': 'All attempts together took longer than their time limit.',
  heartbeat: 'No heartbeat arrived in time: the worker has ended, or the activity’s code blocks.',
};

/** Returns a sentence about the timeout of the innermost step. */
function timeoutText({ timeout }: Cause, step: Place | undefined): string | undefined {
  if (timeout === undefined) return undefined;
  if (step?.kind === 'child') return 'The child workflow exceeded its time limit.';
  if (step?.kind === 'nexus') return 'The Nexus operation exceeded its time limit.';
  return timeouts[timeout];
}

/** Reports the failure that ended the run. */
export function failed(run: WhyRun): Fact[] {
  const ended = runFailure(run);
  if (ended === undefined || ended.cause.codec) return [];
  if (
    ended.event.eventName !== 'WorkflowExecutionFailed' &&
    ended.event.eventName !== 'WorkflowExecutionContinuedAsNew'
  )
    return [];
  const { event, cause } = ended;
  const local = cause.places.length === 0 ? failedLocal(run, cause) : undefined;
  const place = cause.places.at(0) ?? local?.place;
  return [
    {
      cause,
      place,
      eventId: place?.eventId ?? event.eventId,
      attempt: place?.attempt,
      since: event.at,
      refs: local?.refs,
      detail: restart(event) ?? timeoutText(cause, cause.places.at(-1)),
    },
  ];
}

/** Returns a sentence if Temporal has started another run because of this run's retry policy. */
const restart = ({ attributes }: RunEvent): string | undefined =>
  enumAt('RETRY_STATE_', attributes, 'retryState') === 'IN_PROGRESS'
    ? 'Temporal has started the run again.'
    : undefined;

/**
 * Returns the last failed local activity, if its failure has the same type as the cause. If workflow code rethrows a
 * local activity's failure, the failure itself names no step.
 */
function failedLocal(run: WhyRun, { type }: Cause): Step | undefined {
  const group = run.groups.findLast(({ category, outcome }) => category === 'local' && outcome === 'failed');
  const isSame = group !== undefined && causeOf(failureOf(group.events[0].attributes), run)?.type === type;
  return isSame ? stepOf(group, run) : undefined;
}

/**
 * Reports a run that exceeded its time limit. The rules about waiting report the steps that were open at that
 * time.
 */
export function timedOut(run: WhyRun): Fact[] {
  const event = endOfRun(run);
  if (event?.eventName !== 'WorkflowExecutionTimedOut') return [];
  const [start] = run.events;
  const details = [start && limitText(start), restart(event)];
  return [
    {
      eventId: event.eventId,
      since: event.at,
      detail: details.filter((sentence) => sentence !== undefined).join(' ') || undefined,
    },
  ];
}

/**
 * Returns a sentence about the time limit that a run exceeded: the limit of the run, or the limit of the whole
 * execution, which includes earlier runs, if that limit ends earlier.
 */
function limitText({ at: begin, attributes }: RunEvent): string | undefined {
  const limit = durationAt(attributes, 'workflowRunTimeout');
  const delay = durationAt(attributes, 'firstWorkflowTaskBackoff') ?? 0;
  const end = limit === undefined ? Infinity : begin + delay + limit;
  const expiration = millisAt(attributes, 'workflowExecutionExpirationTime');
  if (expiration !== undefined && expiration <= end) {
    const all = durationAt(attributes, 'workflowExecutionTimeout');
    return `All runs together exceeded their time limit${all === undefined ? '' : ` of ${seconds(all)}`}.`;
  }
  return limit === undefined ? undefined : `The run’s time limit was ${seconds(limit)}.`;
}

/** Reports who terminated the run, and why. */
export function terminated(run: WhyRun): Fact[] {
  const event = endOfRun(run);
  if (event?.eventName !== 'WorkflowExecutionTerminated') return [];
  const by = textAt(event.attributes, 'identity');
  const reason = textAt(event.attributes, 'reason');
  return [{ eventId: event.eventId, since: event.at, detail: byWhom(by, reason) }];
}

/** Reports who requested the cancellation. */
export function canceled(run: WhyRun): Fact[] {
  const event = endOfRun(run);
  if (event?.eventName !== 'WorkflowExecutionCanceled') return [];
  const request = run.events.findLast(({ eventName }) => eventName === 'WorkflowExecutionCancelRequested');
  const by =
    textAt(request?.attributes, 'externalWorkflowExecution', 'workflowId') ??
    textAt(request?.attributes, 'identity');
  const reason = textAt(request?.attributes, 'cause');
  return [{ eventId: request?.eventId ?? event.eventId, since: event.at, detail: byWhom(by, reason) }];
}
