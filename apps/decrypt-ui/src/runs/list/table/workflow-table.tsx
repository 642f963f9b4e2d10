import { useNavigate } from '@tanstack/react-router';
import type { WorkflowSummary } from '@temporal-kms/codec-api';
import { clsx } from 'clsx';
import { Filter, Workflow } from 'lucide-react';
import {
  type CSSProperties,
  lazy,
  type MouseEvent,
  Suspense,
  useCallback,
  useEffect,
  useMemo,
  useState,
} from 'react';
import { useCommands } from '../../../ui/commands/registry.ts';
import { Button } from '../../../ui/controls/button.tsx';
import { copyText } from '../../../ui/controls/copy-text.ts';
import { GridSkeleton } from '../../../ui/grid/grid-skeleton.tsx';
import { rowSource, useGridFocus, useVirtualGrid } from '../../../ui/grid/use-virtual-grid.ts';
import { VirtualGrid } from '../../../ui/grid/virtual-grid.tsx';
import { EmptyState } from '../../../ui/page/notice.tsx';
import { useColumnWidths } from '../../../ui/preferences/column-widths.ts';
import { useNarrowerThan } from '../../../ui/preferences/window-size.ts';
import { type ColumnId, columnLook, columnsFor, leastWidth, sizeOf, templateOf } from './columns.ts';
import { expandedIn, keepExpanded, type ListRow, useListRows } from './list-rows.ts';
import type { Picks } from './use-picks.ts';
import { useProblems } from './use-problems.ts';
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
  /** Identifies the list, so that its active and expanded rows are kept while the user is on another page. */
  readonly list: string;
  readonly rows: readonly WorkflowSummary[];
  readonly columns: readonly ColumnId[];
  readonly total: number;
  readonly loading: boolean;
  readonly more: boolean;
  readonly onNearEnd: () => void;
  /** Why the list is empty; false unless the list is known to be empty. */
  readonly empty: false | EmptyReason;
  /** Whether a panel takes a part of the width or, in a narrow window, covers the table. */
  readonly hasPanel: boolean;
  /** The runs picked for a comparison. */
  readonly picks: Picks;
  /** Number of matches that the search of payloads found, by run id. */
  readonly matches: ReadonlyMap<string, number>;
}

const keyOf = (row: ListRow) => row.key;

/** Loaded when the first list with the column "Why" is shown. */
const WhyRequests = lazy(async () => ({
  default: (await import('../../causes/why-column.tsx')).WhyRequests,
}));

/** Below this width, in CSS pixels, the list omits some columns. */
const NARROW_BELOW = 1280;

/** The workflows of a namespace. Loads more rows before the user reaches the last row. */
export function WorkflowTable(props: WorkflowTableProps) {
  const {
    namespace,
    list,
    rows: runs,
    total,
    loading,
    more,
    onNearEnd,
    empty,
    hasPanel,
    picks,
    matches,
  } = props;
  const navigate = useNavigate();
  const focus = useGridFocus({ name: `workflows ${list}`, refocus: true });
  const [expanded, setExpanded] = useState(() => expandedIn(list));
  const rows = useListRows(namespace, runs, expanded);
  const narrowWindow = useNarrowerThan(NARROW_BELOW);
  const narrow = narrowWindow || hasPanel;
  const columns = columnsFor(props.columns, narrow);
  const { widthOf, resize } = useColumnWidths('list');

  function open({ run }: ListRow) {
    if (!run) return;
    const params = { namespace, workflowId: run.workflowId, runId: run.runId };
    void navigate({ to: '/ns/$namespace/workflows/$workflowId/$runId', params });
  }

  const setOpen = useCallback(({ key, run }: ListRow, isExpanded: boolean) => {
    setExpanded((known) => {
      const next = new Map(known);
      if (isExpanded && run) next.set(key, run);
      else next.delete(key);
      return next;
    });
    if (!isExpanded) return;
    // The expanded row may be the last visible row, so the row below it is scrolled into view.
    requestAnimationFrame(() =>
      document.querySelector(`[data-key="${CSS.escape(key)}"] + *`)?.scrollIntoView({ block: 'nearest' }),
    );
  }, []);
  const toggle = useCallback((row: ListRow) => setOpen(row, !row.expanded), [setOpen]);

  const source = useMemo(() => rowSource(rows, keyOf), [rows]);
  const grid = useVirtualGrid({
    rows: source,
    keyOf,
    focus,
    // Further rows load when the user scrolls or when the grid is not filled.
    ...(!more && { loading }),
    onMove: () => undefined,
    onOpen: open,
  });
  const { phone } = grid;
  const { startIndex = 0, endIndex = 0 } = grid.virtual.range ?? {};
  const inView = useMemo(
    () => rows.slice(startIndex, endIndex + 1).flatMap(({ run }) => run ?? []),
    [rows, startIndex, endIndex],
  );
  const problems = useProblems(namespace, inView);
  useEffect(() => {
    if (more && (grid.isShort || endIndex >= rows.length * 0.8 - 1)) onNearEnd();
  });

  useEffect(() => keepExpanded(list, expanded), [list, expanded]);

  const active = grid.activeRow;
  useCommands({
    'copy.id': active?.run && (() => active.run && void copyText('workflow id', active.run.workflowId)),
    'row.pick': active?.run && (() => active.run && picks.toggle(active.run)),
    'group.expand': active?.run && (() => setOpen(active, true)),
    'group.collapse': () => {
      if (active?.expanded) setOpen(active, false);
      else if (active?.parentKey !== undefined) focus.go(active.parentKey);
    },
  });

  const layout: CSSProperties & Record<'--cols' | '--least', string> = {
    '--cols': templateOf(columns, narrow, widthOf),
    '--least': phone ? '0px' : `${leastWidth(columns, narrow, widthOf)}px`,
  };
  return (
    <div className={styles['layout']} style={layout} inert={hasPanel && narrowWindow}>
      {columns.includes('why') ? (
        <Suspense>
          <WhyRequests namespace={namespace} inView={inView} />
        </Suspense>
      ) : null}
      <VirtualGrid
        grid={grid}
        role="treegrid"
        label="Workflows"
        total={total}
        busy={loading}
        columns={columns.map((id) => {
          const { title, align } = columnLook(id);
          const size = sizeOf(columns, id, narrow, widthOf);
          return { id, title, ...(align && { align }), className: rowStyles[id], ...(size && { size }) };
        })}
        onResize={resize}
        highlight="focused"
        className={styles['table']}
        rowOf={(row) => ({
          className: clsx(
            phone ? rowStyles['phone'] : rowStyles['row'],
            pickOf(row, picks) > 0 && rowStyles['picked'],
          ),
          selected: row.key === focus.active,
          level: row.level,
          expanded: row.run ? row.expanded : undefined,
          onClick: (event) => {
            if (!isPlainClick(event)) return;
            if (!picks.picking) open(row);
            else if (row.run) picks.toggle(row.run);
          },
        })}
        renderCells={(row) => (
          <WorkflowCells
            row={row}
            columns={columns}
            namespace={namespace}
            phone={phone}
            pick={pickOf(row, picks)}
            picking={picks.picking}
            onPick={picks.toggle}
            matches={(row.run && matches.get(row.run.runId)) ?? 0}
            problem={row.run && problems.get(row.run.runId)}
            onExpand={toggle}
          />
        )}
      >
        {loading ? (
          <GridSkeleton
            widths={columns.map(placeholderOf)}
            right={columns.map((id) => columnLook(id).align === 'right')}
            height={grid.height}
            phone={phone}
          />
        ) : null}
        {empty && rows.length === 0 ? (
          // A grid may contain only rows, so this element is a row.
          <div role="row" aria-rowindex={2}>
            <div role="gridcell" aria-colspan={columns.length}>
              <NoWorkflows {...empty} />
            </div>
          </div>
        ) : null}
      </VirtualGrid>
    </div>
  );
}

/** Returns the run's position among the picked runs, from 1; 0 if it is not picked. */
const pickOf = ({ run }: ListRow, { runs }: Picks): number =>
  run ? runs.findIndex(({ runId }) => runId === run.runId) + 1 : 0;

/** Returns false for a click on a link, a click with a modifier key, and the end of a text selection. */
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

/** Returns a placeholder's width in percent of its column. */
const placeholderOf = (_: ColumnId, column: number) => [64, 60, 70, 58, 80][column % 5] ?? 60;
