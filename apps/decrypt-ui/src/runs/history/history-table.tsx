import type { Virtualizer } from '@tanstack/react-virtual';
import { clsx } from 'clsx';
import { ArrowDown, History as HistoryIcon } from 'lucide-react';
import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import { plural } from '../../ui/format/number.ts';
import type { GridColumn } from '../../ui/grid/grid-head.tsx';
import { useVirtualGrid } from '../../ui/grid/use-virtual-grid.ts';
import { type GridRow, VirtualGrid } from '../../ui/grid/virtual-grid.tsx';
import { announce } from '../../ui/live-region.tsx';
import { EmptyState } from '../../ui/page/notice.tsx';
import { useCovered } from '../../ui/page/split-view.tsx';
import { useSize } from '../../ui/use-size.ts';
import type { History } from '../events/history.ts';
import type { Row } from '../events/rows.ts';
import { useRun } from '../run/run-context.tsx';
import { AxisLabels, AxisLines, type Waterfall } from '../timeline/waterfall.tsx';
import { useHistoryColumns } from './history-columns.ts';
import { useHistoryCommands } from './history-commands.ts';
import rowStyles from './history-row.module.css';
import { HistoryCells } from './history-row.tsx';
import { HistoryRowsSkeleton } from './history-skeleton.tsx';
import styles from './history-table.module.css';
import type { HistoryView } from './use-history-view.ts';

const keyOf = (row: Row) => row.key;

interface HistoryTableProps {
  readonly view: HistoryView;
  readonly waterfall: Waterfall;
  readonly onWaterfallWidth: (width: number) => void;
  readonly now: number;
  /** How many CSS pixels to leave free after the last row, because banners cover the end of the table. */
  readonly belowRows: number;
}

/** The events of a run as a treegrid. The bars of the waterfall are cells, so rows and bars stay aligned. */
export function HistoryTable({ view, waterfall, onWaterfallWidth, now, belowRows }: HistoryTableProps) {
  const { open, follow, attemptsSeen, description } = useRun();
  const { rows, focus, selectedKey } = view;
  const [axisRef, axis] = useSize();
  const [bodyRef, body] = useSize();
  const covered = useCovered();

  const grid = useVirtualGrid({
    rows,
    keyOf,
    focus,
    loading: follow.phase === 'loading' || follow.phase === 'retrying',
    // An open inspector follows the active row.
    onMove: (row) => selectedKey !== undefined && view.selectRow(row),
    onOpen: view.selectRow,
    covered: covered + belowRows,
  });
  const { phone } = grid;
  const news = useNewEvents({ last: rows.length - 1, virtual: grid.virtual, scroller: grid.scroller });
  useHistoryCommands({ view, grid, toggleFollowing: news.toggleFollowing });

  // On a phone, the bar has the width of the row minus the icon and the gutters.
  const width = phone ? body.width - 48 : axis.width;
  useEffect(() => onWaterfallWidth(width), [width, onWaterfallWidth]);

  // If the address selects a row, the table scrolls to it once, as soon as the row has loaded.
  const linked = useRef(false);
  const { go } = focus;
  useEffect(() => {
    if (linked.current || selectedKey === undefined) return;
    if (rows.indexOf(selectedKey) < 0) return;
    linked.current = true;
    go(selectedKey, false);
  }, [selectedKey, rows, go]);

  // The sheet must not cover the row whose event it shows.
  useEffect(() => {
    if (covered > 0 && selectedKey !== undefined) go(selectedKey, false);
  }, [covered, selectedKey, go]);

  const runNow = open ? now : undefined;
  const { sizeOf, variables, resize } = useHistoryColumns(axis.width);
  const columns: readonly GridColumn[] = [
    { id: 'number', title: '#', align: 'right', className: styles['number'] },
    { id: 'event', title: 'Event', className: styles['event'], size: sizeOf('event') },
    { id: 'summary', title: 'Summary' },
    { id: 'start', title: 'Start', align: 'right', size: sizeOf('start') },
    { id: 'duration', title: 'Duration', align: 'right', size: sizeOf('duration') },
    {
      id: 'waterfall',
      title: <AxisLabels waterfall={waterfall} now={runNow} />,
      label: 'Waterfall',
      className: styles['axis'],
      ref: axisRef,
      size: sizeOf('waterfall'),
    },
    { id: 'key', title: 'Key', className: styles['keys'], size: sizeOf('key') },
  ];
  const isEmpty = rows.length === 0 && follow.phase !== 'loading' && follow.phase !== 'retrying';

  return (
    <div
      className={styles['frame']}
      style={variables}
      data-view={view.view}
      data-digits={digitsOf(description.workflow.historyLength, follow.history)}
    >
      <VirtualGrid
        grid={grid}
        role="treegrid"
        label="History"
        total={rows.length}
        busy={follow.phase === 'loading'}
        columns={columns}
        onResize={resize}
        highlight="selected"
        className={styles['scroller']}
        bodyRef={bodyRef}
        rowOf={(row) => lookOf(row, view, phone)}
        renderCells={(row) => (
          <HistoryCells
            row={row}
            phone={phone}
            runOpen={open}
            pending={view.pending.get(row.group.id)}
            attemptsSeen={attemptsSeen.get(row.group.activityId ?? '')}
            waterfall={waterfall}
            // Rows of closed groups do not depend on the time, so a tick of the clock must not render them
            // again.
            now={row.group.open ? now : 0}
            places={view.placesIn(row)}
            onToggle={view.toggle}
          />
        )}
        renderBehind={(height) => (
          <div className={styles['lines']} style={{ height, width: axis.width }}>
            <AxisLines waterfall={waterfall} now={runNow} />
          </div>
        )}
      >
        {rows.length === 0 && follow.phase === 'loading' ? <HistoryRowsSkeleton /> : null}
        {isEmpty ? (
          <EmptyState
            icon={<HistoryIcon size={16} />}
            title={view.type === undefined ? 'No events yet' : 'No activity of this type'}
          >
            {view.type === undefined ? 'The first event appears when the run starts.' : null}
          </EmptyState>
        ) : null}
      </VirtualGrid>
      {news.count > 0 ? (
        <button type="button" className={styles['pill']} onClick={news.show}>
          <ArrowDown size={14} aria-hidden="true" />
          {plural(news.count, 'new event')}
        </button>
      ) : null}
      <NewEventsAnnouncer count={news.count} />
    </div>
  );
}

/** Returns the number of digits in the largest expected event id, so that the column does not grow while the history loads. */
const digitsOf = (expected: number, { events }: History) =>
  Math.min(Math.max(String(Math.max(expected, events.length)).length, 3), 5);

function lookOf(row: Row, view: HistoryView, phone: boolean): GridRow {
  const isExpandable = row.kind === 'group' && row.expandable;
  return {
    className: clsx(
      phone ? rowStyles['phone'] : rowStyles['row'],
      row.level === 2 && rowStyles['inner'],
      row.kind === 'event' && row.last && rowStyles['last'],
      isProvisional(row) && rowStyles['provisional'],
    ),
    selected: row.key === view.selectedKey,
    level: row.level,
    expanded: isExpandable ? row.expanded : undefined,
    dimmed: !view.isMatch(row) || !view.isOnPath(row),
    onClick: () => view.selectRow(row),
    onDoubleClick: () => isExpandable && view.toggle(row.group.id),
  };
}

/** Returns whether a row contains an event that is not durable. */
function isProvisional(row: Row): boolean {
  if (row.kind === 'group') return !row.group.events.at(-1)?.durable;
  return row.kind === 'event' && !row.event.durable;
}

interface NewEventsInput {
  /** The index of the last row. */
  readonly last: number;
  readonly virtual: Virtualizer<HTMLDivElement, Element>;
  readonly scroller: RefObject<HTMLDivElement | null>;
}

interface NewEvents {
  /**
   * Number of events that have arrived below the visible rows since the end of the table was last in view.
   */
  readonly count: number;
  readonly show: () => void;
  readonly toggleFollowing: () => void;
}

/**
 * Counts events that arrive below the visible rows. The table scrolls to new events only if the user follows
 * them.
 */
function useNewEvents({ last, virtual, scroller }: NewEventsInput): NewEvents {
  const { follow, description } = useRun();
  const total = follow.history.events.length;
  const [seen, setSeen] = useState(0);
  const [following, setFollowing] = useState(false);
  // Events that existed when the page opened are not new.
  const [initial] = useState(description.workflow.historyLength);

  const atEnd = (virtual.range?.endIndex ?? -1) >= last;
  if (atEnd && seen !== total) setSeen(total);

  useEffect(() => {
    if (following && last >= 0) virtual.scrollToIndex(last, { align: 'end' });
  }, [following, last, virtual]);

  // When the user scrolls, the table stops following new events.
  useEffect(() => {
    const element = scroller.current;
    if (!following || !element) return undefined;
    const stop = () => setFollowing(false);
    element.addEventListener('wheel', stop, { passive: true });
    element.addEventListener('touchmove', stop, { passive: true });
    return () => {
      element.removeEventListener('wheel', stop);
      element.removeEventListener('touchmove', stop);
    };
  }, [following, scroller]);

  const show = useCallback(() => {
    virtual.scrollToIndex(last, { align: 'end' });
    setSeen(total);
  }, [virtual, last, total]);

  const count = following || atEnd ? 0 : Math.max(total - Math.max(seen, initial), 0);
  return { count, show, toggleFollowing: () => setFollowing((on) => !on) };
}

/** Announces the count once it has not changed for a second. */
function NewEventsAnnouncer({ count }: { count: number }) {
  useEffect(() => {
    if (count === 0) return undefined;
    const timer = setTimeout(() => announce(plural(count, 'new event')), 1000);
    return () => clearTimeout(timer);
  }, [count]);
  return null;
}
