import { MAX_FIELD_RUNS, reasonEntries, type RunFieldsFrame, type RunSample } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events/proto-json';
import { type FieldMap, matchTimes, type RunTimes, withoutTime } from '@temporal-kms/histories/why';
import type { Progress } from '../../search/one-at-a-time.ts';

type ReadRun = Pick<Extract<RunFieldsFrame, { type: 'run' }>, 'fields' | 'startTime'>;

/**
 * What has been read of a set. `complete` means that all runs of the set have been read, or as many as a
 * comparison uses.
 */
export interface ReadSet extends Progress<string> {
  /** The runs by run id, because the server may repeat runs when it continues a list that has changed. */
  readonly runs: ReadonlyMap<string, ReadRun>;
  /** Whether the set has more runs than a comparison uses. */
  readonly isCut: boolean;
  /**
   * Present if the set was read again, at the times of the other set's runs. `sample` selects these runs, and
   * `newest` is the set as it was first read.
   */
  readonly again?: { readonly sample: RunSample; readonly newest: ReadSet } | undefined;
  /** Whether the set was read again, but had too few runs at the times of the other set's runs. */
  readonly isMatchRejected?: boolean;
  /** Number of runs that could not be read. */
  readonly failed: number;
  /** Number of payloads that could not be decrypted or parsed. */
  readonly unreadable: number;
  readonly kmsCalls: number;
}

export type ReadSets = readonly [first: ReadSet, second: ReadSet];

export const nothingRead: ReadSet = {
  status: 'running',
  after: undefined,
  runs: new Map(),
  isCut: false,
  failed: 0,
  unreadable: 0,
  kmsCalls: 0,
};

export const isFull = ({ runs }: ReadSet): boolean => runs.size >= MAX_FIELD_RUNS;

/** Returns the number of runs that are in both sets. */
export const runsInBoth = ([first, second]: ReadSets): number =>
  [...first.runs.keys()].filter((runId) => second.runs.has(runId)).length;

export const fieldsOf = (runs: readonly ReadRun[]): readonly FieldMap[] => runs.map(({ fields }) => fields);

/** Returns when the runs started, and how long they took. */
const timesOf = (runs: readonly ReadRun[]): readonly RunTimes[] =>
  runs.flatMap(({ startTime, fields: { duration } }) => {
    const start = millisOf(startTime);
    return start === undefined
      ? []
      : [{ start, duration: typeof duration === 'number' ? duration : undefined }];
  });

/** Returns when the first and the last of the runs started; undefined if no run's start is known. */
export function spanOf(runs: readonly ReadRun[]): readonly [first: number, last: number] | undefined {
  const starts = timesOf(runs).map(({ start }) => start);
  return starts.length === 0 ? undefined : [Math.min(...starts), Math.max(...starts)];
}

/** Returns when a run closed. Open runs come first in Temporal's lists. */
const closed = ({ startTime, fields: { duration } }: ReadRun): number =>
  typeof duration === 'number' ? (millisOf(startTime) ?? 0) + duration : Number.POSITIVE_INFINITY;

/** Returns which set to read again because its runs are newer than the runs of the other set. */
export function timesToMatch(sets: ReadSets): ReturnType<typeof matchTimes> {
  if (sets.some(({ status, again, isMatchRejected }) => status !== 'complete' || again || isMatchRejected))
    return undefined;
  const [first, second] = sets.map(({ runs, isCut }) => ({ times: timesOf([...runs.values()]), isCut }));
  return first && second && matchTimes([first, second]);
}

/** With this many runs, a comparison can find the cause of most failures. */
const ENOUGH = 20;

/**
 * If a set has few runs at the other set's times, returns the set with its newest runs instead. The user then
 * wants to compare different times, such as the last day with the day before, or two builds.
 */
export function withRunsToCompare(set: ReadSet, other: ReadSet): ReadSet {
  const { status, runs, again, kmsCalls } = set;
  if (status !== 'complete' || again === undefined) return set;
  const [own, others] = [set, other].map((each) => spanOf([...each.runs.values()]));
  const overlaps = own && others && own[0] <= others[1] && others[0] <= own[1];
  return overlaps && runs.size >= Math.min(ENOUGH, other.runs.size / 2)
    ? set
    : { ...again.newest, kmsCalls, isMatchRejected: true };
}

/**
 * Returns the runs to compare. Lists begin with the run that closed last, so if a set was only partly read,
 * runs of both sets that closed before the earliest close time read from that set are omitted.
 */
export function comparedRuns(sets: ReadSets): [first: readonly ReadRun[], second: readonly ReadRun[]] {
  const oldest = sets.map(({ status, runs }) =>
    status === 'complete' ? Number.NEGATIVE_INFINITY : Math.min(...[...runs.values()].map(closed)),
  );
  const since = Math.max(...oldest);
  const isMatched = sets.some(({ again }) => again);
  const [first, second] = sets.map(({ runs }) =>
    [...runs.values()]
      .filter((run) => closed(run) >= since)
      .map((run) => (isMatched ? { ...run, fields: withoutTime(run.fields) } : run)),
  );
  return [first ?? [], second ?? []];
}

/** Adds a line of the response. */
export function added(set: ReadSet, frame: RunFieldsFrame): ReadSet {
  const { after } = frame;
  if (frame.type === 'end')
    return { ...set, failed: set.failed + frame.failed, kmsCalls: set.kmsCalls + frame.kmsCalls };
  const { fields, startTime } = frame;
  if (isFull(set) || set.runs.has(frame.runId)) return { ...set, after };
  const unreadable = reasonEntries(frame.unreadable).reduce((sum, [, count]) => sum + count, set.unreadable);
  return { ...set, after, runs: new Map(set.runs).set(frame.runId, { fields, startTime }), unreadable };
}
