import { clsx } from 'clsx';
import type { MouseEvent, ReactNode, RefCallback } from 'react';
import { type GridColumn, GridHead, type WidthChange } from './grid-head.tsx';
import type { Grid } from './use-virtual-grid.ts';
import styles from './virtual-grid.module.css';

/** A row's appearance and click handler. All other properties of rows are the same in every grid. */
export interface GridRow {
  readonly className?: string | undefined;
  readonly selected: boolean;
  readonly level?: number;
  /** Whether the row is expanded; absent if the row has nothing to expand. */
  readonly expanded?: boolean | undefined;
  readonly dimmed?: boolean;
  readonly onClick: (event: MouseEvent) => void;
  readonly onDoubleClick?: () => void;
}

interface VirtualGridProps<R> {
  readonly grid: Grid<R>;
  readonly role: 'grid' | 'treegrid';
  readonly label: string;
  /** Total number of rows, loaded or not. */
  readonly total: number;
  readonly busy: boolean;
  readonly columns: readonly GridColumn[];
  /** Called with new column widths. Without this function, the user cannot resize columns. */
  readonly onResize?: (change: WidthChange) => void;
  /** Which row is highlighted: the row with the focus, or the selected row. */
  readonly highlight: 'focused' | 'selected';
  readonly rowOf: (row: R) => GridRow;
  readonly renderCells: (row: R) => ReactNode;
  /** Draws a layer behind the visible rows, which are `height` CSS pixels high together. Not called on a phone. */
  readonly renderBehind?: (height: number) => ReactNode;
  readonly bodyRef?: RefCallback<Element>;
  readonly className?: string | undefined;
  /** Content below the rows: a placeholder while rows load, or the reason why there are no rows. */
  readonly children?: ReactNode;
}

/** A table that renders only the rows in view. Follows the ARIA grid pattern, with focusable rows. */
export function VirtualGrid<R>({
  grid,
  role,
  label,
  total,
  busy,
  columns,
  onResize,
  highlight,
  rowOf,
  renderCells,
  renderBehind,
  bodyRef,
  className,
  children,
}: VirtualGridProps<R>) {
  const { virtual, scroller, rows, height, head, phone } = grid;
  return (
    <div
      ref={scroller}
      className={clsx(styles['grid'], className)}
      data-highlight={highlight}
      role={role}
      tabIndex={-1}
      aria-label={label}
      aria-rowcount={total + 1}
      aria-busy={busy}
    >
      <GridHead columns={columns} onResize={phone ? undefined : onResize} />
      {renderBehind && !phone ? (
        <div className={styles['behind']} aria-hidden="true">
          {renderBehind(Math.min(grid.viewport - head, rows.length * height))}
        </div>
      ) : null}
      <div ref={bodyRef} className={styles['body']} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const row = rows.at(index);
          return row === undefined ? null : (
            <Row
              key={grid.keyOf(row)}
              grid={grid}
              rowKey={grid.keyOf(row)}
              index={index}
              top={start - head}
              {...rowOf(row)}
            >
              {renderCells(row)}
            </Row>
          );
        })}
      </div>
      {children}
    </div>
  );
}

interface RowProps<R> extends GridRow {
  readonly grid: Grid<R>;
  readonly rowKey: string;
  readonly index: number;
  readonly top: number;
  readonly children: ReactNode;
}

function Row<R>({ grid, rowKey: key, index, top, children, ...look }: RowProps<R>) {
  return (
    <div
      className={clsx(styles['row'], !grid.phone && styles['columns'], look.className)}
      style={{ top, height: grid.height }}
      role="row"
      tabIndex={index === grid.tabStop ? 0 : -1}
      data-index={index}
      data-key={key}
      data-dimmed={look.dimmed ? '' : undefined}
      aria-rowindex={index + 2}
      aria-level={look.level}
      aria-selected={look.selected}
      aria-expanded={look.expanded}
      onFocus={() => grid.setActive(key)}
      onClick={look.onClick}
      onDoubleClick={look.onDoubleClick}
      // Keys on a row run page-wide commands, but the linter requires a key handler next to every click handler.
      onKeyDown={() => undefined}
    >
      {children}
    </div>
  );
}
