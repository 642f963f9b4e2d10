import { defaultRangeExtractor, type Range, useVirtualizer } from '@tanstack/react-virtual';
import { clsx } from 'clsx';
import {
  type MouseEvent,
  type ReactNode,
  type RefCallback,
  useCallback,
  useEffect,
  useRef,
  useState,
} from 'react';
import { useCommands } from '../commands/registry.ts';
import { usePreferences } from '../preferences/preferences.ts';
import { rowHeight } from '../preferences/row-height.ts';
import { PHONE_BELOW, useNarrowerThan, usePrinting } from '../preferences/window-size.ts';
import { type GridColumn, GridHead, type WidthChange } from './grid-head.tsx';
import { keepPlace, type Place, placeIn } from './places.ts';
import styles from './virtual-grid.module.css';

/** Height of the column heads in CSS pixels; `--row-head` of tokens.css. */
const HEAD_HEIGHT = 28;

/**
 * Rows enter and leave the document in blocks of this many. Each change lays out the table, whatever the number of
 * rows.
 */
const BLOCK = 4;

/** Maximum number of printed rows, about 40 pages. */
const MAX_PRINTED = 2000;

/**
 * Asks the grid to bring a row into view. Each request is a new object, so that the same row can be asked for again.
 */
interface ScrollTarget {
  readonly key: string;
  /** `unless-elsewhere`: focuses the row if nothing else has the focus. */
  readonly focus: boolean | 'unless-elsewhere';
}

type GridFocus = ReturnType<typeof useGridFocus>;

/** Rows by position. */
export interface RowSource<R> {
  readonly length: number;
  readonly at: (index: number) => R | undefined;
  /** The position of the row with a key; -1 if no row has it. */
  readonly indexOf: (key: string) => number;
}

/** The rows of a list. */
export function rowSource<R>(rows: readonly R[], keyOf: (row: R) => string): RowSource<R> {
  let places: Map<string, number> | undefined;
  return {
    length: rows.length,
    at: (index) => rows[index],
    indexOf(key) {
      places ??= new Map(rows.map((row, index) => [keyOf(row), index]));
      return places.get(key) ?? -1;
    },
  };
}

/** A range that contains the rows in view and changes with every fourth row only, at both ends at once. */
function inBlocks(range: Range): Range {
  const startIndex = Math.floor(range.startIndex / BLOCK) * BLOCK;
  const blocks = Math.ceil((range.endIndex - range.startIndex + 1) / BLOCK) + 1;
  return { ...range, startIndex, endIndex: startIndex + blocks * BLOCK - 1 };
}

interface GridFocusOptions {
  /** Identifies the grid. A grid with a name comes back with the scroll position and the active row that it had. */
  readonly name?: string;
  /** Whether the active row of a grid that comes back also gets the focus, if nothing else has it. */
  readonly refocus?: boolean;
}

/**
 * The active row of a grid, by its key; undefined until the reader has chosen a row. Only the active row is in the tab
 * order; without one, the first row is. `go` activates a row and scrolls to it.
 */
export function useGridFocus({ name, refocus = false }: GridFocusOptions = {}) {
  const [before] = useState(() => (name === undefined ? undefined : placeIn(name)));
  const [active, setActive] = useState(before?.active);
  const [target, setTarget] = useState<ScrollTarget | undefined>(() =>
    refocus && before?.active !== undefined ? { key: before.active, focus: 'unless-elsewhere' } : undefined,
  );
  const place = useRef<Place>(before ?? { active: undefined, top: 0 });
  useEffect(() => {
    place.current = { ...place.current, active };
  }, [active]);
  useEffect(() => {
    if (name === undefined) return undefined;
    return keepPlace(name, () => place.current);
  }, [name]);
  const onScroll = useCallback((top: number) => {
    place.current = { ...place.current, top };
  }, []);
  const go = useCallback((key: string, focus = true) => {
    setActive(key);
    setTarget({ key, focus });
  }, []);
  return { active, setActive, target, go, top: before?.top ?? 0, onScroll };
}

interface GridOptions<R> {
  readonly rows: RowSource<R>;
  readonly keyOf: (row: R) => string;
  readonly focus: GridFocus;
  /**
   * Whether more rows come by themselves. Undefined: unknown. A grid that was scrolled comes back so when it has
   * enough rows.
   */
  readonly loading?: boolean;
  /** A key moved to this row. */
  readonly onMove: (row: R) => void;
  readonly onOpen: (row: R) => void;
  /** CSS pixels at the bottom that another element covers. */
  readonly covered?: number;
}

export type Grid<R> = ReturnType<typeof useVirtualGrid<R>>;

/** The virtualizer, the focus and the keys of a grid whose rows all have the same height. */
export function useVirtualGrid<R>({
  rows,
  keyOf,
  focus,
  loading,
  onMove,
  onOpen,
  covered = 0,
}: GridOptions<R>) {
  const scroller = useRef<HTMLDivElement>(null);
  const [viewport, setViewport] = useState(0);
  const { density } = usePreferences();
  const phone = useNarrowerThan(PHONE_BELOW);
  const printing = usePrinting();
  const height = rowHeight(phone, density);
  const head = phone ? 0 : HEAD_HEIGHT;
  const { active, target, top } = focus;
  const isRestored = useRef(top === 0);
  const isShort = head + rows.length * height < top + viewport;
  const activeIndex = active === undefined ? -1 : rows.indexOf(active);

  const virtual = useVirtualizer<HTMLDivElement, Element>({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    // With some of the rows, the browser would scroll less far. The effect below scrolls when there are more.
    initialOffset: loading || isShort ? 0 : top,
    overscan: 6,
    // Rendering in the scroll event itself would make one long task of it and of the layout.
    useFlushSync: false,
    scrollMargin: head,
    scrollPaddingStart: head,
    scrollPaddingEnd: covered,
    paddingEnd: covered,
    rangeExtractor: (range) => {
      if (printing) return Array.from({ length: Math.min(rows.length, MAX_PRINTED) }, (_, index) => index);
      const shown = defaultRangeExtractor(inBlocks(range));
      // The active row has the focus, so it must stay in the document when it is scrolled out of view.
      return activeIndex < 0 ? shown : [...new Set([...shown, activeIndex])].toSorted((a, b) => a - b);
    },
    onChange({ scrollRect, scrollOffset }) {
      setViewport(scrollRect?.height ?? 0);
      // The reader has scrolled before all rows were there.
      if ((scrollOffset ?? 0) > 0) isRestored.current = true;
      if (isRestored.current) focus.onScroll(scrollOffset ?? 0);
    },
  });
  useEffect(() => virtual.measure(), [virtual, height]);

  // The rows may come in several parts.
  useEffect(() => {
    if (isRestored.current || viewport === 0 || (isShort && loading !== false)) return;
    isRestored.current = true;
    virtual.scrollToOffset(top);
  }, [virtual, isShort, viewport, loading, top]);

  const reached = useRef<ScrollTarget>(undefined);
  useEffect(() => {
    if (!target || reached.current === target) return;
    const index = rows.indexOf(target.key);
    // The row may come with a later page.
    if (index < 0) return;
    reached.current = target;
    if (target.focus !== 'unless-elsewhere') isRestored.current = true;
    virtual.scrollToIndex(index);
    if (!target.focus) return;
    requestAnimationFrame(() => {
      if (target.focus === 'unless-elsewhere' && document.activeElement !== document.body) return;
      const element = scroller.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(target.key)}"]`);
      element?.focus({ preventScroll: true });
    });
  }, [target, rows, virtual]);

  function move(to: number) {
    const row = rows.at(Math.min(Math.max(to, 0), rows.length - 1));
    if (row === undefined) return;
    onMove(row);
    focus.go(keyOf(row));
  }
  // One row of the page before stays in view.
  const page = Math.max(Math.floor((viewport - head) / height) - 1, 1);
  const activeRow = rows.at(Math.max(activeIndex, 0));

  useCommands({
    'row.next': () => move(activeIndex + 1),
    'row.previous': () => move(activeIndex - 1),
    'row.first': () => move(0),
    'row.last': () => move(rows.length - 1),
    'page.next': () => move(activeIndex + page),
    'page.previous': () => move(activeIndex - page),
    'row.open': () => activeRow !== undefined && onOpen(activeRow),
  });

  return {
    rows,
    keyOf,
    scroller,
    virtual,
    height,
    head,
    phone,
    viewport,
    /** The grid comes back with a scroll position that it has too few rows for. */
    isShort,
    tabStop: activeIndex < 0 ? 0 : activeIndex,
    activeRow,
    activeIndex,
    move,
    setActive: (key: string) => {
      // The reader has begun to work with the rows that are there.
      isRestored.current = true;
      focus.setActive(key);
    },
  };
}

/** How a row looks and what a click does; everything else of a row is the same in every grid. */
export interface GridRow {
  readonly className?: string | undefined;
  readonly selected: boolean;
  readonly level?: number;
  /** Absent for a row that has nothing to expand. */
  readonly expanded?: boolean | undefined;
  readonly dimmed?: boolean;
  readonly onClick: (event: MouseEvent) => void;
  readonly onDoubleClick?: () => void;
}

interface VirtualGridProps<R> {
  readonly grid: Grid<R>;
  readonly role: 'grid' | 'treegrid';
  readonly label: string;
  /** How many rows there are, loaded or not. */
  readonly total: number;
  readonly busy: boolean;
  readonly columns: readonly GridColumn[];
  /** Called with new widths of columns. Without it, the reader cannot resize columns. */
  readonly onResize?: (change: WidthChange) => void;
  /** Which row is highlighted: the row with the focus, or the selected row. */
  readonly highlight: 'focused' | 'selected';
  readonly rowOf: (row: R) => GridRow;
  readonly renderCells: (row: R) => ReactNode;
  /** Drawn behind the rows in view, which take `height` CSS pixels. Not drawn on a phone. */
  readonly renderBehind?: (height: number) => ReactNode;
  readonly bodyRef?: RefCallback<Element>;
  readonly className?: string | undefined;
  /** Below the rows: a placeholder while they load, or why there are none. */
  readonly children?: ReactNode;
}

/** A table that draws only the rows in view, with the ARIA pattern of a grid whose rows take the focus. */
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
      // The keys of a row are page-wide commands, but the linter expects a key handler with every click handler.
      onKeyDown={() => undefined}
    >
      {children}
    </div>
  );
}
