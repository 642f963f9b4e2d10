import { useMemo } from 'react';
import { formatDuration, formatOffset, formatOffsetAfterGap, formatTick } from '../../ui/format/duration.ts';
import { extent, type Span } from './spans.ts';
import {
  createTimeScale,
  endOfOpen,
  idleGaps,
  type Interval,
  offsetFrom,
  type RunTimes,
  ticks,
  type TimeScale,
} from './time-scale.ts';
import styles from './waterfall.module.css';

/** Space for half a diamond on the left, and for the now line's label on the right, in CSS pixels. */
const PAD_LEFT = 6;
const PAD_RIGHT = 12;

/** The time scale that all rows of the history table share. */
export interface Waterfall {
  readonly scale: TimeScale;
  /** The first and the last millisecond of the run. */
  readonly from: number;
  readonly to: number;
  readonly gaps: readonly Interval[];
  /** Formats a moment for the Start column. */
  readonly offset: (millis: number) => string;
}

interface WaterfallInput {
  readonly times: RunTimes;
  /** The current time, if the run is open. */
  readonly now: number | undefined;
  readonly width: number;
  readonly collapse: boolean;
  readonly zoom: { readonly from: number | undefined; readonly to: number | undefined };
}

export function useWaterfall({ times, now, width, collapse, zoom }: WaterfallInput): Waterfall {
  const from = times.events[0] ?? 0;
  const end = now === undefined ? 0 : endOfOpen({ times, now, width, collapse });
  const to = Math.max(times.events.at(-1) ?? 0, end, from + 1);
  const gaps = useMemo(() => (collapse ? idleGaps(times, from, to) : []), [times, from, to, collapse]);
  const start = zoom.from === undefined ? from : from + zoom.from;
  const until = zoom.to === undefined ? to : from + zoom.to;
  const scale = useMemo(
    () =>
      createTimeScale({
        from: start,
        to: until,
        times,
        width: Math.max(width - PAD_LEFT - PAD_RIGHT, 1),
        collapse,
      }),
    [start, until, times, width, collapse],
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

const marks = ({ scale, from, gaps }: Waterfall) => ticks(scale, from, gaps);

/** The labels above the bars. */
export function AxisLabels({ waterfall, now }: { waterfall: Waterfall; now: number | undefined }) {
  const { scale } = waterfall;
  const nowX = now !== undefined && now >= scale.from && now <= scale.to ? scale.x(now) : undefined;
  /** Whether a label at a position would overlap the label of the now line. */
  const isNearNow = (x: number) => nowX !== undefined && Math.abs(nowX - x) <= 40;
  const centred = scale.gaps.map((gap) => ({ ...gap, x: gap.left + gap.width / 2 }));
  // The label of a gap that ends now is on the left of the now line's label, so it needs more space.
  const ends = centred.findLast(({ x }) => isNearNow(x));
  const gapLabels = centred.filter((gap) => gap === ends || !isNearNow(gap.x));
  const reserved = ends ? 96 : 44;
  const labels = marks(waterfall).filter(({ x }) => nowX === undefined || Math.abs(nowX - x) > reserved);
  return (
    <>
      {labels.map(({ at, x, offset, afterGap }) => (
        <span key={at} className={styles['label']} style={{ left: PAD_LEFT + x }}>
          {afterGap ? '+' : ''}
          {formatTick(offset)}
        </span>
      ))}
      {gapLabels.map((gap) => (
        <span
          key={gap.from}
          className={styles['gapLabel']}
          {...(nowX !== undefined && gap === ends
            ? { 'data-ends': '', style: { left: PAD_LEFT + nowX - 16 } }
            : { style: { left: PAD_LEFT + gap.x } })}
        >
          {formatDuration(Math.min(gap.to, now ?? gap.to) - gap.from)}
        </span>
      ))}
      {nowX === undefined ? null : (
        <span className={styles['nowLabel']} style={{ left: PAD_LEFT + nowX }}>
          now
        </span>
      )}
    </>
  );
}

/** Ticks, idle gaps and the now line, behind all rows. */
export function AxisLines({ waterfall, now }: { waterfall: Waterfall; now: number | undefined }) {
  const { scale } = waterfall;
  return (
    <>
      {marks(waterfall).map(({ at, x }) => (
        <i key={at} className={styles['axisTick']} style={{ left: PAD_LEFT + x }} />
      ))}
      {scale.gaps.map((gap) => (
        <i key={gap.from} className={styles['gap']} style={{ left: PAD_LEFT + gap.left, width: gap.width }} />
      ))}
      {now !== undefined && now >= scale.from && now <= scale.to ? (
        <i className={styles['now']} style={{ left: PAD_LEFT + scale.x(now) }} />
      ) : null}
    </>
  );
}

interface BarsProps {
  readonly spans: readonly Span[];
  readonly scale: TimeScale;
  /** Text after the last bar: `×5`. */
  readonly note?: string | undefined;
}

/** A row's bars. The row's text contains the same facts, so the caller must hide the bars from screen readers. */
export function Bars({ spans, scale, note }: BarsProps) {
  if (spans.length === 0) return null;
  const { from, to } = extent(spans);
  if (to < scale.from) return <i className={styles['before']} />;
  if (from > scale.to) return <i className={styles['after']} />;
  const end = PAD_LEFT + scale.x(to);
  return (
    <>
      {spans.map((span) => (
        <Shape key={`${span.kind} ${span.from}`} span={span} scale={scale} />
      ))}
      {note && end < PAD_LEFT + scale.width - 24 ? (
        <span className={styles['note']} style={{ left: end + 8 }}>
          {note}
        </span>
      ) : null}
    </>
  );
}

function Shape({ span, scale }: { span: Span; scale: TimeScale }) {
  const { kind, outcome } = span;
  if (kind === 'point' || kind === 'hollow' || kind === 'tick') {
    if (span.from < scale.from || span.from > scale.to) return null;
    return (
      <i className={styles[kind]} data-outcome={outcome} style={{ left: PAD_LEFT + scale.x(span.from) }} />
    );
  }
  return pieces(span, scale).map((piece) => (
    <i
      key={piece.left}
      className={piece.idle && kind !== 'leg' ? styles['leg'] : styles[kind]}
      data-outcome={outcome}
      style={{ left: PAD_LEFT + piece.left, width: piece.width }}
    />
  ));
}

interface Piece {
  readonly left: number;
  readonly width: number;
  readonly idle: boolean;
}

/** Returns the pieces of a bar on a scale. A bar is thin across a collapsed gap, where its length has no meaning. */
export function pieces({ from, to }: { from: number; to: number }, scale: TimeScale): Piece[] {
  const cut = (part: { from: number; to: number }, idle: boolean): Piece[] => {
    const start = Math.max(from, part.from);
    const end = Math.min(to, part.to);
    if (start > end || (start === end && from !== to)) return [];
    const left = scale.x(start);
    return [{ left, width: scale.x(end) - left, idle }];
  };
  return [...scale.parts.flatMap((part) => cut(part, false)), ...scale.gaps.flatMap((gap) => cut(gap, true))];
}
