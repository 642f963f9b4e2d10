import type { Fingerprint, FingerprintParts } from './fingerprint.ts';

/** A failed run, as input for `groupCauses`. */
interface FailedRun {
  readonly runId: string;
  readonly fingerprint: Fingerprint;
  /** When the run failed, in milliseconds since 1970. */
  readonly at: number;
  readonly build?: string | undefined;
}

/** Failed runs with the same cause. */
export interface CauseGroup<Run extends FailedRun = FailedRun> {
  /** The fingerprint's id. Ids of different fingerprint versions differ. */
  readonly id: string;
  readonly parts: FingerprintParts;
  /** The runs, latest first. */
  readonly runs: readonly Run[];
  /** When the first and the last of the runs failed, in milliseconds since 1970. */
  readonly first: number;
  readonly last: number;
  /** Number of runs that failed in each part of the time window, earliest first. */
  readonly bars: readonly number[];
  /** The builds of the runs, most frequent first. */
  readonly builds: readonly { readonly name: string; readonly runs: number }[];
  /** Whether the cause occurs only in the last quarter of the time window. */
  readonly isNew: boolean;
}

/** Number of bars in the chart that shows when a group's runs failed. */
const BARS = 24;

/**
 * The size of the time window's last part, as a share of the window. A cause that occurs only in this part
 * counts as new.
 */
const NEW = 1 / 4;

/**
 * Groups failed runs by fingerprint. Sorts the groups by size, largest first, and groups of the same size by
 * their latest failure, latest first. A run that occurs twice counts once, with its later fingerprint.
 *
 * @example
 * groupCauses(runs)[0]; // { id: '5-…', parts: { type: 'CardDeclined', … }, runs: […], bars: […], isNew: false, … }
 */
export function groupCauses<Run extends FailedRun>(all: readonly Run[]): readonly CauseGroup<Run>[] {
  const runs = [...new Map(all.map((run) => [run.runId, run])).values()].toSorted((a, b) => b.at - a.at);
  const window = { from: runs.at(-1)?.at ?? 0, to: runs[0]?.at ?? 0 };
  return [...Map.groupBy(runs, ({ fingerprint }) => fingerprint.id)]
    .map(([id, members]) => groupOf(id, members, window))
    .toSorted((a, b) => b.runs.length - a.runs.length || b.last - a.last);
}

/**
 * @param runs at least one, the latest first
 * @param window the times at which the first and the last run of all groups failed
 */
function groupOf<Run extends FailedRun>(
  id: string,
  runs: readonly Run[],
  { from, to }: { readonly from: number; readonly to: number },
): CauseGroup<Run> {
  const first = runs.at(-1)?.at ?? to;
  const bars = Array.from({ length: BARS }, () => 0);
  const builds = new Map<string, number>();
  for (const { at, build } of runs) {
    const bar = to === from ? BARS - 1 : Math.min(BARS - 1, Math.floor(((at - from) / (to - from)) * BARS));
    bars[bar] = (bars[bar] ?? 0) + 1;
    if (build !== undefined) builds.set(build, (builds.get(build) ?? 0) + 1);
  }
  return {
    id,
    parts: runs[0]?.fingerprint.parts ?? { type: '', place: '', frames: [] },
    runs,
    first,
    last: runs[0]?.at ?? to,
    bars,
    builds: [...builds].map(([name, count]) => ({ name, runs: count })).toSorted((a, b) => b.runs - a.runs),
    isNew: first > to - (to - from) * NEW,
  };
}
