import { useMemo } from 'react';
import {
  type Activity,
  createTimeScale,
  idleGaps,
  type Interval,
  offsetFrom,
  type TimeScale,
} from '../../model/time-scale.ts';
import { formatOffset, formatOffsetAfterGap } from '../../model/format/duration.ts';

/** Room for half a diamond at the left, and for the now line's label at the right. */
export const PAD_LEFT = 6;
const PAD_RIGHT = 12;

export interface Waterfall {
  readonly scale: TimeScale;
  /** First and last moment of the run. */
  readonly from: number;
  readonly to: number;
  readonly gaps: readonly Interval[];
  /** How the Start column tells a moment. */
  readonly offset: (millis: number) => string;
}

interface WaterfallInput {
  readonly activity: Activity;
  readonly now: number | undefined;
  readonly width: number;
  readonly collapse: boolean;
  readonly zoom: { readonly from: number | undefined; readonly to: number | undefined };
}

export function useWaterfall({ activity, now, width, collapse, zoom }: WaterfallInput): Waterfall {
  const from = activity.times[0] ?? 0;
  const to = Math.max(activity.times.at(-1) ?? 0, now ?? 0, from + 1);
  const gaps = useMemo(() => (collapse ? idleGaps(activity, from, to) : []), [activity, from, to, collapse]);
  const start = zoom.from === undefined ? from : from + zoom.from;
  const end = zoom.to === undefined ? to : from + zoom.to;
  const scale = useMemo(
    () =>
      createTimeScale({
        from: start,
        to: end,
        activity,
        width: Math.max(width - PAD_LEFT - PAD_RIGHT, 1),
        collapse,
      }),
    [start, end, activity, width, collapse],
  );
  return useMemo(
    () => ({
      scale,
      from,
      to,
      gaps,
      offset(millis) {
        const { offset, afterGap } = offsetFrom(millis, from, gaps);
        return afterGap ? formatOffsetAfterGap(offset) : formatOffset(offset);
      },
    }),
    [scale, from, to, gaps],
  );
}
