import type { Span } from '../../model/spans.ts';
import { extent } from '../../model/spans.ts';
import type { TimeScale } from '../../model/time-scale.ts';
import styles from './bars.module.css';
import { PAD_LEFT } from './use-waterfall.ts';

interface BarsProps {
  readonly spans: readonly Span[];
  readonly scale: TimeScale;
  /** Behind the last bar: `×5`. */
  readonly note?: string | undefined;
}

/** A row's part of the waterfall. It only repeats what the row says in words, so it is hidden from screen readers. */
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

/** A bar thins across a collapsed gap: its length there says nothing. */
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
