import { type CSSProperties, useEffect, useMemo, useRef } from 'react';
import type { PendingWork } from '@temporal-kms/histories/events';
import { formatDuration } from '../../ui/format/duration.ts';
import { formatMoment } from '../../ui/format/time.ts';
import { useTheme, useTimeFormat } from '../../ui/preferences/preferences.ts';
import { useSize } from '../../ui/use-size.ts';
import { groupOutcome } from '../events/describe-group.ts';
import { useFind, useRun } from '../run/run-context.tsx';
import { Brush, type Zoom } from './brush.tsx';
import { overviewLines } from './overview-lines.ts';
import styles from './overview.module.css';
import { createTimeScale, endOfOpen, type RunTimes, type TimeScale } from './time-scale.ts';
import { pieces } from './waterfall.tsx';

const HEIGHT = 50;
const PAD = 14;
/** The height below the lines, for the labels. */
const LABEL_HEIGHT = 24;
/** The minimum width of a part with a label, in CSS pixels; the label takes about 90 pixels. */
const LABEL_ROOM = 120;

interface OverviewProps {
  readonly times: RunTimes;
  /** Whether idle time is collapsed. */
  readonly collapse: boolean;
  /** Whether workflow tasks are shown. */
  readonly tasks: boolean;
  readonly pending: ReadonlyMap<number, PendingWork>;
  readonly now: number;
  readonly zoom: Zoom;
  readonly onZoom: (zoom: Zoom) => void;
}

/** A strip that shows the whole run: a line for each group, collapsed idle time, and the part that the waterfall shows. */
export function Overview({ times, collapse, tasks, pending, now, zoom, onZoom }: OverviewProps) {
  const { open } = useRun();
  const [ref, { width }] = useSize();
  const theme = useTheme();
  const from = times.events[0] ?? 0;
  const end = endOfOpen({ times, now, width, collapse });
  const to = Math.max(times.events.at(-1) ?? 0, open ? end : 0, from + 1);
  const scale = useMemo(
    () => createTimeScale({ from, to, times, width: Math.max(width - 2 * PAD, 1), collapse }),
    [from, to, times, width, collapse],
  );
  return (
    <div ref={ref} className={styles['overview']} role="group" aria-label="Whole run">
      <Lines key={theme} tasks={tasks} pending={pending} scale={scale} width={width} now={end} />
      {scale.gaps.map((gap) => (
        <span key={gap.from} className={styles['gap']} style={{ left: PAD + gap.left, width: gap.width }}>
          {formatDuration(Math.min(gap.to, now) - gap.from)}
        </span>
      ))}
      <Marks scale={scale} />
      <Moments scale={scale} open={open} following={zoom.to === undefined} />
      <Brush scale={scale} pad={PAD} zoom={zoom} onZoom={onZoom} />
    </div>
  );
}

/** Reserves the overview's space until an event has loaded, so that rows do not move when the overview appears. */
export const OverviewSpace = () => <div className={styles['overview']} aria-hidden="true" />;

interface LinesProps {
  readonly tasks: boolean;
  readonly pending: ReadonlyMap<number, PendingWork>;
  readonly scale: TimeScale;
  readonly width: number;
  readonly now: number;
}

/**
 * The groups' lines, on a canvas because there may be ten thousand groups. The colours are read when the
 * canvas is drawn, so the caller must remount it when the theme changes.
 */
function Lines({ tasks, pending, scale, width, now }: LinesProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { open, follow } = useRun();
  const { groups } = follow.history;
  const drawn = useMemo(() => overviewLines(groups, tasks), [groups, tasks]);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (!element || !context || width === 0) return;
    const ratio = window.devicePixelRatio;
    element.width = Math.round(width * ratio);
    element.height = Math.round(HEIGHT * ratio);
    context.scale(ratio, ratio);
    const color = barColors(element);
    // Lines are 2 px apart if there is space. Otherwise, the lines are spread evenly over the height.
    const room = Math.min(HEIGHT - LABEL_HEIGHT, 2 * Math.max(drawn.length - 1, 0));
    const thick = Math.max(Math.min(2, room / Math.max(drawn.length, 1)), 1);
    for (const { group, place, failed } of drawn) {
      const work = pending.get(group.id);
      const y = 4 + place * room;
      context.fillStyle = color(groupOutcome(group, open, work) ?? 'neutral');
      for (const piece of pieces(
        { from: group.events[0].at, to: group.open && open ? now : group.lastAt },
        scale,
      )) {
        context.globalAlpha = piece.idle && !failed ? 0.45 : 1;
        context.fillRect(PAD + piece.left, y, Math.max(piece.width, 3), failed ? 2 : thick);
      }
    }
  }, [drawn, scale, width, now, open, pending]);

  return (
    <canvas ref={canvas} className={styles['lines']} style={{ width, height: HEIGHT }} aria-hidden="true" />
  );
}

/** Maximum number of marks: more would touch each other. */
const MAX_MARKS = 300;

/** Marks the search's matches, and the part of the run that a search of payloads has not reached yet. */
function Marks({ scale }: { scale: TimeScale }) {
  const { history } = useRun().follow;
  const { matches, scope, search } = useFind();
  const places = useMemo(() => {
    const found = new Set<number>();
    for (const eventId of matches?.keys() ?? []) {
      const event = history.events[eventId - 1];
      if (event && event.at >= scale.from && event.at <= scale.to) found.add(Math.round(scale.x(event.at)));
      if (found.size >= MAX_MARKS) break;
    }
    return [...found];
  }, [matches, history, scale]);
  // The search runs from the newest event to the oldest.
  const reached =
    scope === 'payloads' && search?.status !== 'complete'
      ? history.events[(search?.after ?? 0) - 1]
      : undefined;
  return (
    <>
      {reached ? (
        <i className={styles['unsearched']} style={{ left: PAD, width: Math.max(scale.x(reached.at), 0) }} />
      ) : null}
      {places.map((x) => (
        <i key={x} className={styles['match']} style={{ left: PAD + x }} />
      ))}
    </>
  );
}

function barColors(element: HTMLElement): (outcome: string) => string {
  const style = getComputedStyle(element);
  // A canvas cannot resolve the names of system colours.
  if (matchMedia('(forced-colors: active)').matches) return () => style.color;
  const names: Readonly<Record<string, string>> = {
    terminated: '--bar-failed',
    paused: '--bar-pending',
    neutral: '--control',
    continued: '--control',
  };
  // Reading a computed style takes longer than drawing a line.
  const known = new Map<string, string>();
  return (outcome) => {
    const color = known.get(outcome) ?? style.getPropertyValue(names[outcome] ?? `--bar-${outcome}`);
    known.set(outcome, color);
    return color;
  };
}

interface MomentsProps {
  readonly scale: TimeScale;
  readonly open: boolean;
  readonly following: boolean;
}

/** Labels with the time at the start, after each gap and at the end, if there is space. */
function Moments({ scale, open, following }: MomentsProps) {
  const format = useTimeFormat();
  const parts = scale.parts.filter((part) => part.width > LABEL_ROOM);
  const last = scale.parts.at(-1);
  const reachesEnd = last !== undefined && last.left + last.width >= scale.width - 1;
  const roomAtEnd = reachesEnd && (last.width > 2 * LABEL_ROOM || last.width <= LABEL_ROOM);
  const end = open ? (following ? 'now, following' : 'now') : formatMoment(scale.to, format);
  const right: CSSProperties = { right: PAD + 8 };
  return (
    <>
      {parts.map((part) => (
        <span key={part.from} className={styles['moment']} style={{ left: PAD + part.left + 8 }}>
          {formatMoment(part.from, format)}
        </span>
      ))}
      {roomAtEnd ? (
        <span className={styles['moment']} style={right}>
          {end}
        </span>
      ) : null}
    </>
  );
}
