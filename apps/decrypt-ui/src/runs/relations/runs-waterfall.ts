import { useMemo } from 'react';
import { useNow } from '../../ui/use-now.ts';
import type { Span } from '../timeline/spans.ts';
import { useWaterfall } from '../timeline/waterfall.tsx';
import type { FamilyRun } from './family.ts';

/** Minimum length of idle time that is collapsed, in milliseconds. In a shorter gap, the run itself may be working. */
const MIN_IDLE = 60_000;

interface RunsWaterfallInput {
  readonly runs: readonly FamilyRun[];
  /** The runs whose duration does not count as idle time. Omit runs that only wait for their children. */
  readonly busy: readonly FamilyRun[];
  readonly width: number;
}

/** Returns one time scale for several runs, and the current time while a run is open. */
export function useRunsWaterfall({ runs, busy, width }: RunsWaterfallInput) {
  const isLive = runs.some(({ open }) => open);
  const now = useNow(isLive);
  const present = Math.max(now, ...runs.map(({ startedAt }) => startedAt ?? 0));
  const times = useMemo(
    () => ({
      events: runs
        .flatMap(({ startedAt, closedAt }) => [startedAt, closedAt])
        .filter((moment) => moment !== undefined)
        .toSorted((a, b) => a - b),
      busy: busy.flatMap(({ startedAt, closedAt, open }) =>
        startedAt === undefined || (closedAt === undefined && !open)
          ? []
          : [{ from: startedAt, to: closedAt ?? Infinity }],
      ),
      minIdle: MIN_IDLE,
    }),
    [runs, busy],
  );
  const waterfall = useWaterfall({
    times,
    now: isLive ? present : undefined,
    width,
    collapse: true,
    zoom: { from: undefined, to: undefined },
  });
  return { waterfall, present, isLive };
}

/** Returns a run's bar. */
export function runSpans({ startedAt, closedAt, open, outcome }: FamilyRun, now: number): Span[] {
  if (startedAt === undefined) return [];
  if (closedAt !== undefined) return [{ kind: 'bar', from: startedAt, to: closedAt, outcome }];
  if (!open) return [{ kind: 'point', from: startedAt, to: startedAt, outcome }];
  return [{ kind: 'open', from: startedAt, to: Math.max(now, startedAt), outcome }];
}
