import { defaultRangeExtractor, type Range, useVirtualizer } from '@tanstack/react-virtual';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useCommands } from '../commands/registry.ts';
import { usePreferences } from '../preferences/preferences.ts';
import { rowHeight } from '../preferences/row-height.ts';
import { PHONE_BELOW, useNarrowerThan, usePrinting } from '../preferences/window-size.ts';
import { keepPlace, type Place, placeIn } from './places.ts';

/** Height of the column heads in CSS pixels; equals `--row-head` in tokens.css. */
const HEAD_HEIGHT = 28;

/**
 * Number of rows that enter or leave the document together. The browser lays out the whole table for each change,
 * however many rows change.
 */
const BLOCK = 4;

/** Maximum number of printed rows, about 40 pages. */
const MAX_PRINTED = 2000;

/** A request to scroll a row into view. Each request is a new object, so the same row can be requested again. */
interface ScrollTarget {
  readonly key: string;
  /** `unless-elsewhere`: focuses the row if nothing else has the focus. */
  readonly focus: boolean | 'unless-elsewhere';
}

type GridFocus = ReturnType<typeof useGridFocus>;

/** Gives access to rows by position. */
export interface RowSource<R> {
  readonly length: number;
  readonly at: (index: number) => R | undefined;
  /** Returns the position of the row with the given key, or -1. */
  readonly indexOf: (key: string) => number;
}

/** Returns a row source for an array. */
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

/** Extends a range to whole blocks, so that both ends of the range change together and only at every fourth row. */
function inBlocks(range: Range): Range {
  const startIndex = Math.floor(range.startIndex / BLOCK) * BLOCK;
  const blocks = Math.ceil((range.endIndex - range.startIndex + 1) / BLOCK) + 1;
  return { ...range, startIndex, endIndex: startIndex + blocks * BLOCK - 1 };
}

interface GridFocusOptions {
  /** Identifies the grid. When a grid with a name is shown again, it restores its scroll position and active row. */
  readonly name?: string;
  /** Whether a restored active row also gets the focus, if nothing else has it. */
  readonly refocus?: boolean;
}

/**
 * Returns the state of a grid's focus. `active` is the active row's key, or undefined until the user chooses a row.
 * Only the active row, or else the first row, is in the tab order. `go` activates a row and scrolls to it.
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
   * Whether more rows will arrive without user action; undefined if this is not known. The scroll position is restored
   * once enough rows have loaded.
   */
  readonly loading?: boolean;
  /** Called when a key moves the focus to a row. */
  readonly onMove: (row: R) => void;
  readonly onOpen: (row: R) => void;
  /** Height at the bottom that another element covers, in CSS pixels. */
  readonly covered?: number;
}

export type Grid<R> = ReturnType<typeof useVirtualGrid<R>>;

/** Manages virtualization, focus and keys for a grid whose rows all have the same height. */
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
    // With too few rows, the browser cannot scroll to `top`. The effect below scrolls once there are enough rows.
    initialOffset: loading || isShort ? 0 : top,
    overscan: 6,
    // With `useFlushSync`, rendering and layout would run in one long task inside the scroll event.
    useFlushSync: false,
    scrollMargin: head,
    scrollPaddingStart: head,
    scrollPaddingEnd: covered,
    paddingEnd: covered,
    rangeExtractor: (range) => {
      if (printing) return Array.from({ length: Math.min(rows.length, MAX_PRINTED) }, (_, index) => index);
      const shown = defaultRangeExtractor(inBlocks(range));
      // The active row may have the focus, so it must stay in the document even when it is out of view.
      return activeIndex < 0 ? shown : [...new Set([...shown, activeIndex])].toSorted((a, b) => a - b);
    },
    onChange({ scrollRect, scrollOffset }) {
      setViewport(scrollRect?.height ?? 0);
      // If the user scrolls before all rows have loaded, the grid does not restore the old position.
      if ((scrollOffset ?? 0) > 0) isRestored.current = true;
      if (isRestored.current) focus.onScroll(scrollOffset ?? 0);
    },
  });
  useEffect(() => virtual.measure(), [virtual, height]);

  // Restores the scroll position once enough rows have loaded: rows may arrive in several batches.
  useEffect(() => {
    if (isRestored.current || viewport === 0 || (isShort && loading !== false)) return;
    isRestored.current = true;
    virtual.scrollToOffset(top);
  }, [virtual, isShort, viewport, loading, top]);

  const reached = useRef<ScrollTarget>(undefined);
  useEffect(() => {
    if (!target || reached.current === target) return;
    const index = rows.indexOf(target.key);
    // The row may be on a later page that has not loaded yet.
    if (index < 0) return;
    reached.current = target;
    if (target.focus !== 'unless-elsewhere') isRestored.current = true;
    virtual.scrollToIndex(index);
    if (!target.focus) return;
    requestAnimationFrame(() => {
      if (target.focus === 'unless-elsewhere' && document.activeElement !== document.body) return;
      const element = scroller.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(target.key)}"]`);
      element?.focus({ preventScroll: true });
      // In a small window, the page scrolls too.
      element?.scrollIntoView({ block: 'nearest' });
    });
  }, [target, rows, virtual]);

  function move(to: number) {
    const row = rows.at(Math.min(Math.max(to, 0), rows.length - 1));
    if (row === undefined) return;
    onMove(row);
    focus.go(keyOf(row));
  }
  // One row of the previous page stays in view.
  const page = Math.max(Math.floor((viewport - head) / height) - 1, 1);
  const activeRow = rows.at(Math.max(activeIndex, 0));

  useCommands(
    activeRow === undefined
      ? {}
      : {
          'row.next': () => move(activeIndex + 1),
          'row.previous': () => move(activeIndex - 1),
          'row.first': () => move(0),
          'row.last': () => move(rows.length - 1),
          'page.next': () => move(activeIndex + page),
          'page.previous': () => move(activeIndex - page),
          'row.open': () => onOpen(activeRow),
        },
  );

  return {
    rows,
    keyOf,
    scroller,
    virtual,
    height,
    head,
    phone,
    viewport,
    /** Whether the grid still has too few rows to restore its scroll position. */
    isShort,
    tabStop: activeIndex < 0 ? 0 : activeIndex,
    activeRow,
    activeIndex,
    move,
    setActive: (key: string) => {
      // The user has started to use the loaded rows, so the grid must not scroll by itself.
      isRestored.current = true;
      focus.setActive(key);
    },
  };
}
