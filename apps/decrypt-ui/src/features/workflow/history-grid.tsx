import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, History } from 'lucide-react';
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import { Empty } from '../../components/notice.tsx';
import { announce } from '../../components/live-region.tsx';
import { useSize } from '../../components/use-size.ts';
import { plural } from '../../model/format/number.ts';
import type { Row } from '../../model/rows.ts';
import { textAt } from '../../model/values.ts';
import { PHONE_BELOW, SHEET_BELOW, useNarrowerThan } from '../../state/media.ts';
import { usePreferences } from '../../state/preferences.ts';
import { AxisLabels, AxisLines } from './axis.tsx';
import styles from './history-grid.module.css';
import { HistoryRow } from './history-row.tsx';
import { useRun } from './run-context.tsx';
import { useGridKeys } from './use-grid-keys.ts';
import type { HistoryView } from './use-history-view.ts';
import { useNewEvents } from './use-new-events.ts';
import type { Waterfall } from './use-waterfall.ts';

const HEAD = 28;
const heights = { compact: 24, default: 28, comfortable: 36 } as const;
const PHONE_ROW = 62;

interface HistoryGridProps {
  readonly view: HistoryView;
  readonly waterfall: Waterfall;
  readonly onWaterfallWidth: (width: number) => void;
  readonly now: number;
}

/** Events and waterfall as one treegrid: the bar is a cell, so rows and bars can't drift apart. */
export function HistoryGrid({ view, waterfall, onWaterfallWidth, now }: HistoryGridProps) {
  const { open, follow, attemptsSeen } = useRun();
  const { rows, active, target } = view;
  const { density } = usePreferences();
  const phone = useNarrowerThan(PHONE_BELOW);
  const scroller = useRef<HTMLDivElement>(null);
  const [axisRef, axis] = useSize();
  const [bodyRef, body] = useSize();
  const [viewport, setViewport] = useState(0);
  const height = phone ? PHONE_ROW : heights[density];
  const head = phone ? 0 : HEAD;
  const sheet = useNarrowerThan(SHEET_BELOW) && view.selectedKey !== undefined;
  const covered = sheet ? Math.min(0.46 * innerHeight, 520) : 0;
  const activeIndex = useMemo(() => rows.findIndex((row) => row.key === active), [rows, active]);

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 10,
    scrollMargin: head,
    scrollPaddingStart: head,
    scrollPaddingEnd: covered,
    paddingEnd: covered,
    getItemKey: (index) => rows[index]?.key ?? index,
    // The active row keeps the focus, so it stays in the document.
    rangeExtractor: (range) =>
      activeIndex < 0
        ? defaultRangeExtractor(range)
        : [...new Set([...defaultRangeExtractor(range), activeIndex])].toSorted((a, b) => a - b),
    onChange: ({ scrollRect }) => setViewport(scrollRect?.height ?? 0),
  });
  useEffect(() => virtual.measure(), [virtual, height]);

  // 54 px of a phone's row are the icon and the gutters beside its track.
  const width = phone ? body.width - 48 : axis.width;
  useEffect(() => onWaterfallWidth(width), [width, onWaterfallWidth]);

  const done = useRef<HistoryView['target']>(undefined);
  useEffect(() => {
    if (!target || done.current === target) return;
    const index = rows.findIndex((row) => row.key === target.key);
    if (index < 0) return;
    done.current = target;
    virtual.scrollToIndex(index);
    if (!target.focus) return;
    requestAnimationFrame(() => {
      const element = scroller.current?.querySelector<HTMLElement>(`[data-key="${target.key}"]`);
      element?.focus({ preventScroll: true });
    });
  }, [target, rows, virtual]);

  // Where a link leads to comes into view once, as soon as it is there.
  const linked = useRef(false);
  const { selectedKey, go } = view;
  useEffect(() => {
    if (linked.current || selectedKey === undefined) return;
    if (!rows.some((row) => row.key === selectedKey)) return;
    linked.current = true;
    go(selectedKey, false);
  }, [selectedKey, rows, go]);

  const news = useNewEvents({ view, virtual, scroller });
  useGridKeys({ view, rowsPerPage: Math.max(Math.floor(viewport / height) - 2, 1), news });

  const items = virtual.getVirtualItems();
  const empty = rows.length === 0 && follow.phase !== 'loading' && follow.phase !== 'retrying';
  return (
    <div className={styles['frame']}>
      <div
        ref={scroller}
        className={styles['scroller']}
        data-digits={Math.max(String(follow.history.events.length).length, 3)}
        role="treegrid"
        tabIndex={-1}
        aria-label="History"
        aria-rowcount={rows.length + 1}
        aria-busy={follow.phase === 'loading'}
        onKeyDown={(event) => enter(event, view)}
      >
        <div className={styles['head']} role="row" aria-rowindex={1}>
          <div role="columnheader" className={styles['right']}>
            #
          </div>
          <div role="columnheader" className={styles['event']}>
            Event
          </div>
          <div role="columnheader">Summary</div>
          <div role="columnheader" className={styles['right']}>
            Start
          </div>
          <div role="columnheader" className={styles['right']}>
            Duration
          </div>
          <div ref={axisRef} role="columnheader" className={styles['axis']} aria-label="Waterfall">
            <AxisLabels waterfall={waterfall} now={open ? now : undefined} />
          </div>
          <div role="columnheader" className={styles['keys']}>
            Key
          </div>
        </div>
        {phone ? null : (
          <div className={styles['lines']} aria-hidden="true">
            <div
              className={styles['linesInner']}
              style={{ height: Math.min(viewport - head, rows.length * height), width: axis.width }}
            >
              <AxisLines waterfall={waterfall} now={open ? now : undefined} />
            </div>
          </div>
        )}
        <div ref={bodyRef} className={styles['body']} style={{ height: virtual.getTotalSize() - head }}>
          {items.map(({ index, start, key }) => {
            const row = rows[index];
            return row ? (
              <HistoryRow
                key={key}
                row={row}
                index={index}
                top={start - head}
                height={height}
                phone={phone}
                active={row.key === active}
                selected={row.key === selectedKey}
                dimmed={view.matches !== undefined && !view.matches.has(row.key)}
                runOpen={open}
                pending={view.pending.get(row.group.id)}
                attemptsSeen={attemptsSeen.get(textAt(row.group.events[0].attributes, 'activityId') ?? '')}
                waterfall={waterfall}
                now={isLive(row) && open ? now : 0}
                onSelect={view.selectRow}
                onToggle={view.toggle}
                onFocus={view.setActive}
              />
            ) : null;
          })}
        </div>
        {empty ? (
          <Empty icon={<History size={16} />} title="No event has been recorded yet">
            The first comes when the run starts.
          </Empty>
        ) : null}
      </div>
      {news.count > 0 ? (
        <button type="button" className={styles['pill']} onClick={news.show}>
          <ArrowDown size={14} aria-hidden="true" />
          {plural(news.count, 'new event')}
        </button>
      ) : null}
      <NewsAnnouncer count={news.count} />
    </div>
  );
}

/** Rows that have ended don't change with the clock. */
const isLive = (row: Row) => row.group.open;

function enter(event: KeyboardEvent, view: HistoryView) {
  if (event.key !== 'Enter' && event.key !== ' ') return;
  if (!(event.target instanceof HTMLElement) || event.target.role !== 'row') return;
  const row = view.rows.find((candidate) => candidate.key === view.active);
  if (!row) return;
  event.preventDefault();
  view.selectRow(row);
}

function NewsAnnouncer({ count }: { count: number }) {
  useEffect(() => {
    if (count === 0) return undefined;
    const timer = setTimeout(() => announce(plural(count, 'new event')), 1000);
    return () => clearTimeout(timer);
  }, [count]);
  return null;
}
