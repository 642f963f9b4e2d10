import { durationAt, textAt } from '../../events/proto-json.ts';
import type { PendingWork } from '../../events/pending.ts';
import type { EventGroup } from '../../events/groups.ts';
import { WORKER_SHUTDOWN } from '../../failures/failure.ts';
import type { Fact } from '../facts/finding.ts';
import type { Place } from '../facts/place.ts';
import { isOpen, type WhyRun } from '../facts/run.ts';
import { endTime, LONG_WAIT, pendingSteps, type PendingStep, waitsAt } from '../facts/sources.ts';
import { stepOf, summaryOf } from '../facts/step.ts';
import { byWhom, seconds } from '../facts/words.ts';
import { pollersText } from './task.ts';

const placeOf = ({ work, group, cause }: PendingStep): Place => ({
  kind: work.kind,
  name: work.name,
  eventId: group?.id,
  attempt: work.attempt || undefined,
  worker: work.worker,
  run: work.child ?? cause?.places.find(({ run }) => run)?.run,
});

function factOf(step: PendingStep): Fact {
  const { work, group, cause } = step;
  return {
    cause: isInterrupted(step) ? undefined : cause,
    place: placeOf(step),
    eventId: group?.id,
    // Prefers the group's time, because `scheduledAt` may be the time of the next attempt, which is in the
    // future.
    since: group?.events[0].at ?? work.scheduledAt,
    attempt: work.attempt || undefined,
    maximumAttempts: work.maximumAttempts,
    nextAt: work.nextAttemptAt,
    queue: textAt(group?.events[0].attributes, 'taskQueue', 'name'),
  };
}

const hasFailed = ({ attempt, lastFailure }: PendingWork): boolean =>
  attempt > 1 || lastFailure !== undefined;

/** Returns whether an activity runs again after its worker was shut down. */
const isInterrupted = ({ work, cause }: PendingStep): boolean =>
  work.state === 'STARTED' && cause?.type === WORKER_SHUTDOWN;

/** Reports paused activities, which Temporal does not retry until they are unpaused. */
export const activitiesPaused = (run: WhyRun): Fact[] =>
  pendingSteps(run)
    .filter(({ work }) => work.kind === 'activity' && work.paused)
    .map((step) => ({
      ...factOf(step),
      since: step.work.pausedAt,
      nextAt: undefined,
      detail: byWhom(step.work.pausedBy, step.work.pauseReason),
    }));

/** Reports activities and Nexus operations whose last attempt failed. */
export const retries =
  (kind: 'activity' | 'nexus') =>
  (run: WhyRun): Fact[] =>
    pendingSteps(run)
      .filter(
        (step) =>
          step.work.kind === kind &&
          !step.work.paused &&
          !step.work.blocked &&
          hasFailed(step.work) &&
          !isInterrupted(step) &&
          !step.cause?.codec,
      )
      .map(factOf);

/** Reports Nexus operations that Temporal does not attempt because a circuit breaker is open. */
export const nexusBlocked = (run: WhyRun): Fact[] =>
  pendingSteps(run)
    .filter(({ work }) => work.blocked !== undefined)
    .map((step) => ({ ...factOf(step), detail: step.work.blocked }));

/**
 * Reports activities that no worker has taken, if no worker polls the task queue or the activity has waited long.
 */
export const activitiesNotTaken = (run: WhyRun): Fact[] =>
  pendingSteps(run)
    .filter(
      ({ work }) =>
        work.kind === 'activity' && work.state === 'SCHEDULED' && !work.paused && !hasFailed(work),
    )
    .map(factOf)
    .filter(({ since, queue }) => {
      const polled = run.queues?.find(({ name, kind }) => name === queue && kind === 'activity')?.polling;
      return polled === false || (since !== undefined && run.now - since >= LONG_WAIT);
    })
    .map((fact) => ({ ...fact, detail: pollersText(run, 'activity', fact.queue) }));

/**
 * Returns a function that reports those open steps of one category that no other rule reports. For a closed
 * run, it reports the steps that were open when the run ended.
 */
export const openSteps =
  (category: 'activity' | 'child' | 'nexus' | 'external') =>
  (run: WhyRun): Fact[] => {
    if (!waitsAt(run)) return [];
    const named = new Set(
      [
        ...retries('activity')(run),
        ...retries('nexus')(run),
        ...activitiesPaused(run),
        ...nexusBlocked(run),
        ...activitiesNotTaken(run),
      ].map(({ eventId }) => eventId),
    );
    const pending = new Map(pendingSteps(run).map((step) => [step.group?.id, step]));
    return openGroups(run, category)
      .filter(({ id }) => !named.has(id) && !pending.get(id)?.cause?.codec)
      .map((group) => {
        const step = pending.get(group.id);
        const { place, refs } = stepOf(group, run);
        const since = group.events[0].at;
        return step === undefined
          ? {
              place,
              refs,
              eventId: group.id,
              since,
              queue: textAt(group.events[0].attributes, 'taskQueue', 'name'),
            }
          : { ...factOf(step), since: step.work.lastStartedAt ?? since, refs };
      });
  };

const openGroups = ({ groups }: WhyRun, wanted: EventGroup['category']): EventGroup[] =>
  groups.filter(({ open, category }) => open && category === wanted);

/** Reports open timers, in the order in which they fire. */
export const timers =
  (isOverdue: boolean) =>
  (run: WhyRun): Fact[] => {
    if (!waitsAt(run)) return [];
    const until = endTime(run);
    return openGroups(run, 'timer')
      .map((group) => ({ group, fires: firesAt(group) }))
      .filter(({ fires }) => fires < until - LONG_WAIT === isOverdue)
      .toSorted((a, b) => a.fires - b.fires)
      .map(({ group, fires }): Fact => {
        const [head] = group.events;
        const { place, refs } = stepOf(group, run);
        const summary = summaryOf(head, run);
        return {
          place: place && { ...place, name: summary.text ?? place.name },
          refs: [...refs, ...summary.refs],
          eventId: group.id,
          since: head.at,
          ...(isOpen(run) ? { nextAt: fires } : { detail: firedText(fires - until) }),
        };
      });
  };

const firesAt = ({ events: [head] }: EventGroup): number =>
  head.at + (durationAt(head.attributes, 'startToFireTimeout') ?? 0);

/** States when a timer of a closed run would have fired. @param after milliseconds from the run's end */
const firedText = (after: number): string =>
  after < 0
    ? `It was due ${seconds(-after)} before the run ended.`
    : `It would have fired ${seconds(after)} after the run ended.`;
