import { clsx } from 'clsx';
import {
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
  type RefCallback,
  useRef,
  useState,
} from 'react';
import styles from './virtual-grid.module.css';

/** A column's width and its limits, in CSS pixels. */
interface ColumnSize {
  /** The current width, or the default width of a flexible column that the user has not resized. */
  readonly width: number;
  readonly min: number;
  readonly max: number;
  /** The side of the column that has the handle. */
  readonly side: 'left' | 'right';
  /**
   * Whether the column shares the rest of the row with other flexible columns. When the user resizes a column,
   * the flexible columns keep their current widths.
   */
  readonly flexible?: boolean;
}

export interface GridColumn {
  /** Identifies the column within the grid. */
  readonly id: string;
  readonly title: ReactNode;
  readonly align?: 'right';
  readonly className?: string | undefined;
  readonly tooltip?: string;
  /** Screen readers read the label instead of the title. Required if the title is not text. */
  readonly label?: string;
  readonly ref?: RefCallback<Element>;
  /** Absent if the user cannot change the column's width. */
  readonly size?: ColumnSize;
}

/** New widths by column id; undefined resets a width to its default. */
export type WidthChange = Readonly<Record<string, number | undefined>>;

interface GridHeadProps {
  readonly columns: readonly GridColumn[];
  readonly onResize: ((change: WidthChange) => void) | undefined;
}

/** A grid's column heads, with handles that change column widths. Only one handle is in the tab order. */
export function GridHead({ columns, onResize }: GridHeadProps) {
  const head = useRef<HTMLDivElement>(null);
  const [current, setCurrent] = useState<string>();
  const sized = onResize ? columns.filter(({ size }) => size !== undefined) : [];
  const tabStop = sized.some(({ id }) => id === current) ? current : sized[0]?.id;

  const cell = (id: string) => head.current?.querySelector<HTMLElement>(`[data-column="${CSS.escape(id)}"]`);

  /** Returns the current widths of flexible columns, so that dragging a handle changes only its own column. */
  function fixed(): WidthChange {
    return Object.fromEntries(
      sized
        .filter(({ size }) => size?.flexible)
        .map(({ id }) => [id, Math.round(cell(id)?.getBoundingClientRect().width ?? 0)]),
    );
  }

  function focusHandle(id: string, by: -1 | 1) {
    const next = sized[sized.findIndex((column) => column.id === id) + by];
    if (next) cell(next.id)?.querySelector<HTMLElement>('[role="separator"]')?.focus();
  }

  return (
    <div ref={head} className={styles['head']} role="row" aria-rowindex={1}>
      {columns.map(({ id, title, align, className, tooltip, label, ref, size }) => {
        const name = label ?? (typeof title === 'string' ? title : id);
        return (
          <div
            key={id}
            ref={ref}
            role="columnheader"
            className={clsx(align === 'right' && styles['right'], className)}
            data-column={id}
            data-tip={tooltip}
            aria-label={size ? name : label}
          >
            {typeof title === 'string' ? <span className={styles['title']}>{title}</span> : title}
            {size && onResize ? (
              <ColumnHandle
                name={name}
                size={size}
                isTabStop={id === tabStop}
                measure={() => cell(id)?.getBoundingClientRect().width ?? size.width}
                onFocus={() => setCurrent(id)}
                onResize={(width) => onResize({ ...fixed(), [id]: width })}
                onLeave={(by) => focusHandle(id, by)}
              />
            ) : null}
          </div>
        );
      })}
    </div>
  );
}

/** The change of a column's width per arrow key press, in CSS pixels. */
const STEP = 8;

interface ColumnHandleProps {
  readonly name: string;
  readonly size: ColumnSize;
  readonly isTabStop: boolean;
  readonly measure: () => number;
  readonly onFocus: () => void;
  readonly onResize: (width: number | undefined) => void;
  /** Moves the focus to the handle before or after this handle. */
  readonly onLeave: (by: -1 | 1) => void;
}

function ColumnHandle({ name, size, isTabStop, measure, onFocus, onResize, onLeave }: ColumnHandleProps) {
  const { width, min, max, side } = size;
  const drag = useRef<{ x: number; width: number }>(undefined);
  const outwards = side === 'right' ? 1 : -1;
  const resize = (to: number) => onResize(Math.round(Math.min(Math.max(to, min), max)));

  function down(event: PointerEvent) {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = { x: event.clientX, width: measure() };
  }

  function move(event: PointerEvent) {
    if (drag.current) resize(drag.current.width + outwards * (event.clientX - drag.current.x));
  }

  function stop() {
    drag.current = undefined;
  }

  function key(event: KeyboardEvent) {
    const step = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
    const by = { ArrowUp: -1 as const, ArrowDown: 1 as const }[event.key];
    if (step !== undefined) resize(measure() + outwards * step);
    else if (by !== undefined) onLeave(by);
    else if (event.key === 'Enter') onResize(undefined);
    else return;
    event.preventDefault();
  }

  return (
    <span
      role="separator"
      aria-orientation="vertical"
      aria-label={`Width of ${name}`}
      aria-valuenow={Math.round(width)}
      aria-valuemin={min}
      aria-valuemax={max}
      tabIndex={isTabStop ? 0 : -1}
      className={styles['handle']}
      data-side={side}
      data-tip="← → change the width, ↑ ↓ go to another column, Enter resets"
      onFocus={onFocus}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={stop}
      onPointerCancel={stop}
      onDoubleClick={() => onResize(undefined)}
      onKeyDown={key}
    />
  );
}
