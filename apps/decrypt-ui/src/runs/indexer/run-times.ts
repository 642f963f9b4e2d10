import { isFailure } from '@temporal-kms/histories/events';
import { criticalPath, type CriticalPath } from '@temporal-kms/histories/why/critical-path';
import { type Durations, durationsOf } from '@temporal-kms/histories/why/usual';
import type { TimedGroup, TimedHistory } from '../events/history-indexer.ts';

/** How long the activities of a type took in one run, each from its scheduling to its end, including all attempts. */
export interface ActivityTimes extends Durations {
  readonly type: string;
  /** Number of activities that failed or timed out. */
  readonly failed: number;
  /** Number of activities that have not ended. */
  readonly open: number;
  /** The event id of the activity that took longest. */
  readonly slowest: number;
  /**
   * Durations in milliseconds, ascending. If there are more than 200 durations, contains only every n-th, so
   * that a chart has at most 200 marks.
   */
  readonly marks: readonly number[];
}

/** Where a run's time went, according to the part of its history that has loaded. */
export interface RunTimes {
  readonly path: Pick<CriticalPath, 'steps' | 'total'>;
  /** The activities by type, longest median first. Omits types whose activities are all in progress. */
  readonly activities: readonly ActivityTimes[];
}

/**
 * Returns where a run's time went.
 *
 * @param now the end of an open run's critical path, in milliseconds since 1970
 */
export function runTimes(history: TimedHistory, now: number): RunTimes {
  // Omits the path’s parts, because the page does not draw them and transferring them would delay the answer.
  const { steps, total } = criticalPath({ ...history, now });
  return { path: { steps, total }, activities: activityTimes(history.groups) };
}

const MAX_MARKS = 200;

function activityTimes(groups: readonly TimedGroup[]): ActivityTimes[] {
  const activities = groups.filter(({ activityType }) => activityType !== undefined);
  const byType = Map.groupBy(activities, ({ activityType = '' }) => activityType);
  const times = [...byType].flatMap(([type, all]): ActivityTimes[] => {
    const ended = all
      .filter(({ open }) => !open)
      .map((group) => ({ id: group.id, outcome: group.outcome, millis: millisOf(group) }))
      .toSorted((a, b) => a.millis - b.millis);
    const millis = ended.map((group) => group.millis);
    const durations = durationsOf(millis);
    const slowest = ended.at(-1);
    if (durations === undefined || slowest === undefined) return [];
    const step = Math.ceil(millis.length / MAX_MARKS);
    return [
      {
        type,
        ...durations,
        failed: ended.filter(({ outcome }) => isFailure(outcome)).length,
        open: all.length - ended.length,
        slowest: slowest.id,
        // Counts from the end, so that the longest duration is always included.
        marks: millis.filter((_, index) => (millis.length - 1 - index) % step === 0),
      },
    ];
  });
  return times.toSorted((a, b) => b.median - a.median);
}

const millisOf = ({ events }: TimedGroup): number => Math.max(...events.map(({ at }) => at)) - events[0].at;
