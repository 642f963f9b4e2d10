import type { AuditOperation, AuditPage } from '@temporal-kms/codec-api';
import { escapeInvisible } from '@temporal-kms/codec-api';
import {
  Download,
  Eye,
  FlaskConical,
  List,
  LockKeyhole,
  MessageCircleQuestion,
  ScrollText,
  Search,
} from 'lucide-react';
import { useEffect, useMemo } from 'react';
import { RunAnchor } from '../runs/run-link.tsx';
import { useMe } from '../session/me.tsx';
import { useCommands } from '../ui/commands/registry.ts';
import { Button } from '../ui/controls/button.tsx';
import { formatCount, plural } from '../ui/format/number.ts';
import { GridSkeleton } from '../ui/grid/grid-skeleton.tsx';
import { rowSource, useGridFocus, useVirtualGrid } from '../ui/grid/use-virtual-grid.ts';
import { VirtualGrid } from '../ui/grid/virtual-grid.tsx';
import { EmptyState } from '../ui/page/notice.tsx';
import { Moment } from '../ui/text/moment.tsx';
import { OutcomeGlyph } from '../ui/text/outcome.tsx';
import { type AuditRow, operationTexts, resultOf, runOf } from './audit-rows.ts';
import styles from './audit.module.css';

interface AuditTableProps {
  readonly name: string;
  readonly namespace: string;
  readonly rows: readonly AuditRow[];
  readonly selected: string | undefined;
  readonly onSelect: (id: string) => void;
  readonly loading: boolean;
  readonly searching: boolean;
  readonly pages: readonly AuditPage[];
  /** Whether the page can request older entries now. */
  readonly more: boolean;
  readonly onMore: () => void;
  readonly filtered: boolean;
  readonly onClear: () => void;
}

const keyOf = ({ id }: AuditRow) => id;

/** After this many consecutive empty pages, the page asks the user whether to continue. */
const EMPTY_PAGES = 16;

const columns = [
  { id: 'time', title: 'Time' },
  { id: 'who', title: 'Person' },
  { id: 'what', title: 'Action' },
  { id: 'run', title: 'Workflow' },
  { id: 'why', title: 'Justification' },
  { id: 'outcome', title: 'Outcome' },
  { id: 'payloads', title: 'Payloads', align: 'right' },
] as const;

/** The operations, newest first. Loads older lines before the user reaches the last row. */
export function AuditTable(props: AuditTableProps) {
  const { name, rows, selected, onSelect, loading, searching, pages, more, onMore, filtered, onClear } =
    props;
  const focus = useGridFocus({ name, refocus: true });
  const source = useMemo(() => rowSource(rows, keyOf), [rows]);
  const grid = useVirtualGrid({
    rows: source,
    keyOf,
    focus,
    onMove: (row) => selected !== undefined && onSelect(row.id),
    onOpen: (row) => onSelect(row.id),
  });
  const { endIndex = 0 } = grid.virtual.range ?? {};
  const emptyPages = pages.length - 1 - pages.findLastIndex(({ entries }) => entries.length > 0);
  const pausedAt = emptyPages > 0 && emptyPages % EMPTY_PAGES === 0;
  useEffect(() => {
    if (more && !pausedAt && endIndex >= rows.length * 0.8 - 1) onMore();
  });
  useCommands({ 'inspector.open': () => grid.activeRow && onSelect(grid.activeRow.id) });

  return (
    <div className={styles['layout']}>
      <VirtualGrid
        grid={grid}
        role="grid"
        label="Audit"
        total={rows.length}
        busy={searching}
        columns={columns}
        highlight={selected === undefined ? 'focused' : 'selected'}
        className={styles['grid']}
        rowOf={(row) => ({
          className: grid.phone ? styles['phone'] : styles['row'],
          selected: row.id === selected,
          onClick: () => {
            if (getSelection()?.toString()) return;
            onSelect(row.id);
          },
        })}
        renderCells={(row) => (grid.phone ? <PhoneCells row={row} /> : <Cells row={row} />)}
      >
        {loading ? (
          <GridSkeleton widths={[80, 60, 70, 50, 60, 50, 40]} height={grid.height} phone={grid.phone} />
        ) : null}
        {!loading && (rows.length === 0 || pausedAt) ? (
          // A grid may contain only rows, so this element is a row.
          <div role="row" aria-rowindex={rows.length + 2}>
            <div role="gridcell" aria-colspan={columns.length}>
              <Rest
                {...{ rows, filtered, onClear, onMore }}
                searching={searching}
                paused={pausedAt && more}
              />
            </div>
          </div>
        ) : null}
      </VirtualGrid>
    </div>
  );
}

interface RestProps extends Pick<AuditTableProps, 'rows' | 'filtered' | 'onClear' | 'onMore' | 'searching'> {
  readonly paused: boolean;
}

/** Explains why there are no rows or no more rows. */
function Rest({ rows, filtered, onClear, onMore, searching, paused }: RestProps) {
  if (paused) {
    return (
      <EmptyState
        icon={<Search size={16} />}
        title={rows.length === 0 ? 'Nothing found yet' : 'Nothing else found yet'}
        action={<Button onClick={onMore}>Search further back</Button>}
      >
        The last 128 MiB of searched lines contain no matching entry.
      </EmptyState>
    );
  }
  if (searching) {
    return (
      <EmptyState icon={<Search size={16} />} title="Searching older lines">
        The server reads the file from its end.
      </EmptyState>
    );
  }
  return filtered ? (
    <EmptyState
      icon={<ScrollText size={16} />}
      title="No entry matches the filter"
      action={<Button onClick={onClear}>Clear filter</Button>}
    >
      The page searched the whole file of the server process that answered.
    </EmptyState>
  ) : (
    <EmptyState icon={<ScrollText size={16} />} title="The audit has no entry for this namespace yet">
      An entry appears when a person or program decrypts, encrypts, searches or exports payloads.
    </EmptyState>
  );
}

const icons: Readonly<Record<AuditOperation, typeof Eye>> = {
  metadata: List,
  decode: Eye,
  encode: LockKeyhole,
  search: Search,
  export: Download,
  query: MessageCircleQuestion,
  audit: ScrollText,
  self_test: FlaskConical,
};

function Action({ operation }: { operation: AuditOperation }) {
  const Icon = icons[operation];
  return (
    <span className={styles['action']}>
      <Icon size={14} aria-hidden="true" />
      {operationTexts[operation]}
    </span>
  );
}

function Result({ row }: { row: AuditRow }) {
  const { outcome, text, detail } = resultOf(row);
  return (
    <span className={styles['result']} data-outcome={outcome} data-tip={detail}>
      <OutcomeGlyph outcome={outcome} />
      <span>{text}</span>
    </span>
  );
}

/** An operation's run, as a link for people who may open it. */
export function EntryRun({ row: { entry }, focusable = true }: { row: AuditRow; focusable?: boolean }) {
  const { can } = useMe();
  if (entry.workflowId === undefined) return <span className="t3">–</span>;
  const text = escapeInvisible(entry.workflowId);
  const run = runOf(entry);
  if (!run || !can(run.namespace, 'metadata')) {
    return (
      <>
        <span className="mono">{text}</span>
        {entry.source === 'file' ? <span className="t3"> in a file</span> : null}
      </>
    );
  }
  return (
    <>
      <RunAnchor run={run} className="mono" {...(!focusable && { tabIndex: -1 })}>
        {text}
      </RunAnchor>
      {run.eventId === undefined ? null : <span className="t3"> #{formatCount(run.eventId)}</span>}
    </>
  );
}

function Cells({ row }: { row: AuditRow }) {
  const { entry, outcome, time } = row;
  return (
    <>
      <div role="gridcell" className="ellipsis">
        <Moment at={time} />
      </div>
      <div
        role="gridcell"
        className="ellipsis"
        data-tip={entry.who.name === entry.who.subject ? undefined : entry.who.subject}
      >
        {escapeInvisible(entry.who.name)}
      </div>
      <div role="gridcell">
        <Action operation={entry.operation} />
      </div>
      <div role="gridcell" className={styles['run']}>
        <EntryRun row={row} focusable={false} />
      </div>
      <div role="gridcell" className="ellipsis t2">
        {entry.justification === undefined ? (
          <span className="t3">–</span>
        ) : (
          escapeInvisible(entry.justification)
        )}
      </div>
      <div role="gridcell">
        <Result row={row} />
      </div>
      <div role="gridcell" className={styles['right']}>
        {outcome ? formatCount(outcome.payloads) : <span className="t3">–</span>}
      </div>
    </>
  );
}

function PhoneCells({ row }: { row: AuditRow }) {
  const { entry, outcome, time } = row;
  return (
    <div role="gridcell" className={styles['lines']}>
      <div className={styles['line']}>
        <Action operation={entry.operation} />
        <span className="ellipsis strong">{escapeInvisible(entry.who.name)}</span>
        <span className="spacer" />
        <Result row={row} />
      </div>
      <div className={styles['line']}>
        <Moment at={time} />
        {entry.workflowId === undefined ? null : (
          <span className={styles['run']}>
            <EntryRun row={row} focusable={false} />
          </span>
        )}
        <span className="ellipsis spacer t3">
          {entry.justification && escapeInvisible(entry.justification)}
        </span>
        {outcome ? <span className="t3">{plural(outcome.payloads, 'payload')}</span> : null}
      </div>
    </div>
  );
}
