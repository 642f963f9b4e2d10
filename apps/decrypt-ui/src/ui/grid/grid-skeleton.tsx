import { clsx } from 'clsx';
import styles from './virtual-grid.module.css';

interface GridSkeletonProps {
  /** The placeholder's width in each column, in percent of the column; 0 leaves the cell empty. */
  readonly widths: readonly number[];
  /** Whether each column is aligned to the right. */
  readonly right?: readonly boolean[];
  /** The height of a row in CSS pixels. */
  readonly height: number;
  readonly phone: boolean;
}

/** Placeholders for a grid's rows while they load, with the same columns and height. */
export function GridSkeleton({ widths, right = [], height, phone }: GridSkeletonProps) {
  const cells = phone ? [70] : widths;
  // This many rows fill the largest grid that fits into the window.
  const rows = Math.ceil(innerHeight / height);
  return (
    <div aria-hidden="true" data-skeleton="">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className={clsx(!phone && styles['columns'], styles['waiting'])} style={{ height }}>
          {cells.map((width, column) => (
            // oxlint-disable-next-line react/no-array-index-key -- columns never move
            <span key={column} className={phone ? styles['line'] : clsx(right[column] && styles['right'])}>
              {width === 0 ? null : <i style={{ width: `${width - ((row * 7 + column * 3) % 4) * 8}%` }} />}
            </span>
          ))}
        </div>
      ))}
    </div>
  );
}
