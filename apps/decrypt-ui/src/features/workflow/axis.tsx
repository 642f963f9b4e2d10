import { formatDuration, formatTick } from '../../model/format/duration.ts';
import { ticks } from '../../model/time-scale.ts';
import styles from './axis.module.css';
import { PAD_LEFT, type Waterfall } from './use-waterfall.ts';

const marks = ({ scale, from, gaps }: Waterfall) => ticks(scale, from, gaps);

/** The labels above the waterfall. */
export function AxisLabels({ waterfall, now }: { waterfall: Waterfall; now: number | undefined }) {
  const { scale } = waterfall;
  const nowX = now !== undefined && now >= scale.from && now <= scale.to ? scale.x(now) : undefined;
  const labels = marks(waterfall).filter(({ x }) => nowX === undefined || Math.abs(nowX - x) > 44);
  const hasRoom = (gap: { left: number; width: number }) =>
    nowX === undefined || Math.abs(nowX - gap.left - gap.width / 2) > 40;
  return (
    <>
      {labels.map(({ at, x, offset, afterGap }) => (
        <span key={at} className={styles['label']} style={{ left: PAD_LEFT + x }}>
          {afterGap ? '+' : ''}
          {formatTick(offset)}
        </span>
      ))}
      {scale.gaps.filter(hasRoom).map((gap) => (
        <span
          key={gap.from}
          className={styles['gapLabel']}
          style={{ left: PAD_LEFT + gap.left + gap.width / 2 }}
        >
          {formatDuration(gap.to - gap.from)}
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

/** Ticks, idle gaps and the now line behind every row of the grid. */
export function AxisLines({ waterfall, now }: { waterfall: Waterfall; now: number | undefined }) {
  const { scale } = waterfall;
  return (
    <>
      {marks(waterfall).map(({ at, x }) => (
        <i key={at} className={styles['tick']} style={{ left: PAD_LEFT + x }} />
      ))}
      {scale.gaps.map((gap) => (
        <i
          key={gap.from}
          className={styles['gap']}
          style={{ left: PAD_LEFT + gap.left, width: gap.width }}
          title={`${formatDuration(gap.to - gap.from)} without an event`}
        />
      ))}
      {now !== undefined && now >= scale.from && now <= scale.to ? (
        <i className={styles['now']} style={{ left: PAD_LEFT + scale.x(now) }} />
      ) : null}
    </>
  );
}
