import { useNavigate } from '@tanstack/react-router';
import type { WorkflowSummary } from '@temporal-kms/codec-api';
import { clsx } from 'clsx';
import { Filter, Workflow } from 'lucide-react';
import { type MouseEvent, useEffect, useMemo } from 'react';
import { Button } from '../../components/button.tsx';
import { GridSkeleton } from '../../components/grid-skeleton.tsx';
import { announce } from '../../components/live-region.tsx';
import { EmptyState } from '../../components/notice.tsx';
import {
  type GridColumn,
  rowSource,
  useGridFocus,
  useVirtualGrid,
  VirtualGrid,
} from '../../components/virtual-grid.tsx';
import { isOpen } from '../../model/outcome.ts';
import { useCommands } from '../../commands/registry.ts';
import { useNow } from '../../state/clock.ts';
import rowStyles from './workflow-row.module.css';
import { WorkflowCells } from './workflow-row.tsx';
import styles from './workflow-table.module.css';

interface EmptyReason {
  readonly filtered: boolean;
  /** The filter in words. */
  readonly description: string;
  readonly clear: () => void;
}

interface WorkflowTableProps {
  readonly namespace: string;
  /** Identifies the list, whose active row is kept while the reader is on another page. */
  readonly place: string;
  readonly rows: readonly WorkflowSummary[];
  readonly total: number;
  readonly loading: boolean;
  readonly more: boolean;
  readonly onNearEnd: () => void;
  /** Why the list is empty, once it is known that it is. */
  readonly empty: false | EmptyReason;
}

const keyOf = (row: WorkflowSummary) => row.runId;

const columns: readonly GridColumn[] = [
  { id: 'status', title: 'Status' },
  { id: 'id', title: 'Workflow ID' },
  { id: 'type', title: 'Type' },
  { id: 'queue', title: 'Task queue', className: styles['wide'] },
  {
    id: 'started',
    title: 'Started',
    tooltip: 'In Temporal’s order: running workflows first, then by close time',
  },
  { id: 'duration', title: 'Duration', align: 'right' },
  { id: 'events', title: 'Events', align: 'right' },
  { id: 'size', title: 'Size', align: 'right', className: styles['wide'] },
  { id: 'keys', title: 'Keys', className: styles['keysHead'] },
];

/** The workflows of a namespace. More rows are loaded before the reader reaches the last row. */
export function WorkflowTable(props: WorkflowTableProps) {
  const { namespace, place, rows, total, loading, more, onNearEnd, empty } = props;
  const navigate = useNavigate();
  const focus = useGridFocus(`workflows ${place}`);
  const now = useNow(rows.some((row) => isOpen(row.status)));

  function open(row: WorkflowSummary) {
    const params = { namespace, workflowId: row.workflowId, runId: row.runId };
    void navigate({ to: '/ns/$namespace/workflows/$workflowId/$runId', params });
  }

  const source = useMemo(() => rowSource(rows, keyOf), [rows]);
  const grid = useVirtualGrid({
    rows: source,
    keyOf,
    focus,
    onMove: () => undefined,
    onOpen: open,
  });
  const { phone } = grid;
  const lastIndex = grid.virtual.range?.endIndex ?? 0;
  useEffect(() => {
    if (more && lastIndex >= rows.length * 0.8 - 1) onNearEnd();
  });

  useCommands({
    'copy.id': () => {
      const id = grid.activeRow?.workflowId;
      if (id === undefined) return;
      void navigator.clipboard.writeText(id).then(() => announce('Copied workflow id'));
    },
  });

  return (
    <VirtualGrid
      grid={grid}
      role="grid"
      label="Workflows"
      total={total}
      busy={loading}
      columns={columns}
      highlight="focused"
      className={styles['table']}
      rowOf={(row) => ({
        className: clsx(phone ? rowStyles['phone'] : rowStyles['row']),
        selected: row.runId === focus.active,
        onClick: (event) => {
          if (isPlainClick(event)) open(row);
        },
      })}
      renderCells={(row) => (
        <WorkflowCells row={row} namespace={namespace} phone={phone} now={isOpen(row.status) ? now : 0} />
      )}
    >
      {loading ? (
        <GridSkeleton
          widths={placeholders}
          classes={columns.map((column) => column.className)}
          height={grid.height}
          phone={phone}
        />
      ) : null}
      {empty && rows.length === 0 ? <NoWorkflows {...empty} /> : null}
    </VirtualGrid>
  );
}

/** False for a click on a link that the browser follows, for a click with a modifier, and for the end of a text selection. */
function isPlainClick(event: MouseEvent): boolean {
  if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey) return false;
  return !getSelection()?.toString();
}

/** Explains why the list is empty. */
function NoWorkflows({ filtered, description, clear }: EmptyReason) {
  if (!filtered) {
    return (
      <EmptyState icon={<Workflow size={16} />} title="No workflows in this namespace yet">
        A workflow appears here when a client starts it.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon={<Filter size={16} />}
      title={
        <>
          No workflows match <span className="mono">{description}</span>
        </>
      }
      action={<Button onClick={clear}>Clear filter</Button>}
    >
      Change the filter, or clear it to see all workflows of the namespace.
    </EmptyState>
  );
}

/** How much of each column a placeholder fills, in percent. */
const placeholders = [64, 60, 62, 58, 80, 50, 46, 60, 44] as const;
