import { useNavigate } from '@tanstack/react-router';
import type { WorkflowSummary } from '@temporal-kms/codec-api';
import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import { Filter, Workflow } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { Button } from '../../components/button.tsx';
import { announce } from '../../components/live-region.tsx';
import { Empty } from '../../components/notice.tsx';
import { useHotkeys } from '../../components/use-hotkeys.ts';
import { isOpen } from '../../model/outcome.ts';
import { useNow } from '../../state/clock.ts';
import { PHONE_BELOW, useNarrowerThan } from '../../state/media.ts';
import { usePreferences } from '../../state/preferences.ts';
import { WorkflowRow } from './workflow-row.tsx';
import styles from './workflow-table.module.css';

const HEAD = 28;
const heights = { compact: 24, default: 28, comfortable: 36 } as const;
const PHONE_ROW = 62;

interface WorkflowTableProps {
  readonly namespace: string;
  readonly rows: readonly WorkflowSummary[];
  readonly total: number;
  readonly loading: boolean;
  readonly more: boolean;
  readonly onNearEnd: () => void;
  readonly empty: false | { filtered: boolean; description: string; clear: () => void };
}

export function WorkflowTable({
  namespace,
  rows,
  total,
  loading,
  more,
  onNearEnd,
  empty,
}: WorkflowTableProps) {
  const navigate = useNavigate();
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const { density } = usePreferences();
  const phone = useNarrowerThan(PHONE_BELOW);
  const height = phone ? PHONE_ROW : heights[density];
  const head = phone ? 0 : HEAD;
  const now = useNow(rows.some((row) => isOpen(row.status)));

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 12,
    scrollMargin: head,
    scrollPaddingStart: head,
    getItemKey: (index) => rows[index]?.runId ?? index,
    // The active row keeps the focus, so it stays in the document.
    rangeExtractor: (range) =>
      [...new Set([...defaultRangeExtractor(range), Math.min(active, range.count - 1)])].toSorted(
        (a, b) => a - b,
      ),
  });
  useEffect(() => virtual.measure(), [virtual, height]);

  const items = virtual.getVirtualItems();
  const lastIndex = virtual.range?.endIndex ?? 0;
  useEffect(() => {
    if (more && lastIndex >= rows.length * 0.8 - 1) onNearEnd();
  });

  function move(to: number) {
    if (rows.length === 0) return;
    const next = Math.min(Math.max(to, 0), rows.length - 1);
    setActive(next);
    virtual.scrollToIndex(next);
    requestAnimationFrame(() => {
      scroller.current?.querySelector<HTMLElement>(`[data-index="${next}"]`)?.focus({ preventScroll: true });
    });
  }

  function open(row: WorkflowSummary | undefined) {
    if (!row) return;
    const params = { namespace, workflowId: row.workflowId, runId: row.runId };
    void navigate({ to: '/ns/$namespace/workflows/$workflowId/$runId', params });
  }

  useHotkeys({
    j: () => move(active + 1),
    ArrowDown: () => move(active + 1),
    k: () => move(active - 1),
    ArrowUp: () => move(active - 1),
    Home: () => move(0),
    End: () => move(rows.length - 1),
    PageDown: () => move(active + Math.floor((scroller.current?.clientHeight ?? 0) / height) - 1),
    PageUp: () => move(active - Math.floor((scroller.current?.clientHeight ?? 0) / height) + 1),
    c: () => {
      const id = rows[active]?.workflowId;
      if (id === undefined) return;
      void navigator.clipboard.writeText(id).then(() => announce('Copied workflow id'));
    },
  });

  return (
    <div
      ref={scroller}
      className={styles['table']}
      role="grid"
      tabIndex={-1}
      aria-label="Workflows"
      aria-rowcount={total + 1}
      aria-busy={loading}
      onKeyDown={(event) => {
        if (event.key === 'Enter' && event.target instanceof HTMLElement && event.target.role === 'row') {
          open(rows[active]);
        }
      }}
    >
      <div className={styles['head']} role="row" aria-rowindex={1}>
        <div role="columnheader">Status</div>
        <div role="columnheader">Workflow ID</div>
        <div role="columnheader">Type</div>
        <div role="columnheader" className={styles['wide']}>
          Task queue
        </div>
        <div role="columnheader" title="Temporal’s order: running first, then the last closed">
          Started
        </div>
        <div role="columnheader" className={styles['right']}>
          Duration
        </div>
        <div role="columnheader" className={styles['right']}>
          Events
        </div>
        <div role="columnheader" className={`${styles['right']} ${styles['wide']}`}>
          Size
        </div>
        <div role="columnheader" className={styles['keys']}>
          Keys
        </div>
      </div>
      <div className={styles['body']} style={{ height: virtual.getTotalSize() }}>
        {items.map(({ index, start, key }) => {
          const row = rows[index];
          return row ? (
            <WorkflowRow
              key={key}
              row={row}
              namespace={namespace}
              index={index}
              top={start - head}
              height={height}
              phone={phone}
              active={index === active}
              now={isOpen(row.status) ? now : 0}
              onFocus={setActive}
              onOpen={open}
            />
          ) : null;
        })}
      </div>
      {loading ? <Skeleton height={height} /> : null}
      {empty && rows.length === 0 ? <NoWorkflows {...empty} /> : null}
    </div>
  );
}

function NoWorkflows({ filtered, description, clear }: Exclude<WorkflowTableProps['empty'], false>) {
  if (!filtered) {
    return (
      <Empty icon={<Workflow size={16} />} title="No workflows in this namespace yet">
        Start one, and it appears here.
      </Empty>
    );
  }
  return (
    <Empty
      icon={<Filter size={16} />}
      title={
        <>
          No workflows match <span className="mono">{description}</span>
        </>
      }
      action={<Button onClick={clear}>Clear filter</Button>}
    />
  );
}

const widths = [92, 130, 76, 112, 98];

function Skeleton({ height }: { height: number }) {
  return (
    <div aria-hidden="true">
      {Array.from({ length: 20 }, (_, index) => (
        <div key={index} className={styles['skeleton']} style={{ height }}>
          <i style={{ width: 72 }} />
          <i style={{ width: (widths[index % widths.length] ?? 80) + 60 }} />
          <i style={{ width: widths[(index + 2) % widths.length] }} />
          <i style={{ width: 64 }} />
          <i style={{ width: 104 }} />
        </div>
      ))}
    </div>
  );
}
