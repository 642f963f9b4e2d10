import { Link } from '@tanstack/react-router';
import { escapeInvisible, failedStatuses, type WorkflowSummary } from '@temporal-kms/codec-api';
import { clsx } from 'clsx';
import { ChevronRight, GitCompareArrows, ScanSearch, TriangleAlert } from 'lucide-react';
import { Fragment, lazy, memo, type ReactNode, Suspense } from 'react';
import { millisOf } from '@temporal-kms/histories/events/proto-json';
import type { Outcome } from '@temporal-kms/histories/events';
import { KeyBadges } from '../../../payloads/key-badges.tsx';
import { keyBadges } from '../../../payloads/payload-keys.ts';
import { firstKey } from '../../../ui/commands/commands.ts';
import { CheckBox } from '../../../ui/controls/check-box.tsx';
import { CopyButton } from '../../../ui/controls/copy-button.tsx';
import { formatDurationShort, formatTicking } from '../../../ui/format/duration.ts';
import { formatBytes, formatCount, plural } from '../../../ui/format/number.ts';
import { Moment } from '../../../ui/text/moment.tsx';
import { OutcomeGlyph } from '../../../ui/text/outcome.tsx';
import { useNow } from '../../../ui/use-now.ts';
import { isOpen, outcomeOf, outcomeText } from '../../outcome.ts';
import { searchAttributeText } from '../../search-attribute.ts';
import { type ColumnId, columnLook, isKnown, type KnownColumn } from './columns.ts';
import type { ListRow } from './list-rows.ts';
import type { Problem } from './problems.ts';
import styles from './workflow-row.module.css';

/** Loaded when the first list with the column "Why" is shown. */
const WhyCell = lazy(async () => ({ default: (await import('../../causes/why-column.tsx')).WhyCell }));

interface WorkflowCellsProps {
  readonly row: ListRow;
  readonly columns: readonly ColumnId[];
  readonly namespace: string;
  readonly phone: boolean;
  /** The run's position among the picked runs, from 1; 0 if it is not picked. */
  readonly pick: number;
  /** Whether the user is picking runs: the row then has a checkbox, but no link that opens the run. */
  readonly picking: boolean;
  readonly onPick: (run: WorkflowSummary) => void;
  /** Number of matches that the search of payloads found in the run. */
  readonly matches: number;
  /** Why the run makes no progress. */
  readonly problem: Problem | undefined;
  readonly onExpand: (row: ListRow) => void;
}

interface RunProps extends WorkflowCellsProps {
  readonly run: WorkflowSummary;
}

const noFindings = new Map();

/** The cells of a list row. */
export const WorkflowCells = memo(
  function WorkflowCells(props: WorkflowCellsProps) {
    const { run } = props.row;
    if (!run) return <Note {...props} />;
    return props.phone ? <PhoneCells {...props} run={run} /> : <GridCells {...props} run={run} />;
  },
  // Ignores new row objects with the same run, and new functions, because they change nothing on the screen.
  (before, after) =>
    before.row.run === after.row.run &&
    before.row.key === after.row.key &&
    before.row.expanded === after.row.expanded &&
    before.row.note === after.row.note &&
    before.columns.join() === after.columns.join() &&
    before.namespace === after.namespace &&
    before.phone === after.phone &&
    before.pick === after.pick &&
    before.picking === after.picking &&
    before.onPick === after.onPick &&
    before.matches === after.matches &&
    before.problem?.detail === after.problem?.detail &&
    before.onExpand === after.onExpand,
);

/** A note below a parent instead of a child. */
const Note = ({ row: { note, level }, columns }: WorkflowCellsProps) => (
  <div
    role="gridcell"
    className={styles['note']}
    style={{ paddingLeft: indentOf(level) + 8, gridColumn: `${columns.indexOf('id') + 1} / -1` }}
  >
    {note}
  </div>
);

const INDENT = 22;
const indentOf = (level: number) => (level - 1) * INDENT;

function GridCells(props: RunProps) {
  return props.columns.map((id, index) => {
    const { align } = columnLook(id);
    return (
      <div
        key={id}
        role="gridcell"
        className={clsx(align === 'right' && styles['right'], styles[id.startsWith('@') ? 'attribute' : id])}
      >
        {index === 0 ? <PickBox {...props} /> : null}
        {isKnown(id) ? cells[id](props) : <Attribute run={props.run} name={id.slice(1)} />}
      </div>
    );
  });
}

const cells: Readonly<Record<KnownColumn, (props: RunProps) => ReactNode>> = {
  status: ({ run, problem }) => <Status run={run} problem={problem} />,
  id: (props) => <Id {...props} />,
  type: ({ run }) => <span className="ellipsis">{escapeInvisible(run.type)}</span>,
  why: (props) => <Why {...props} />,
  queue: ({ run }) => <span className="ellipsis t2">{escapeInvisible(run.taskQueue)}</span>,
  started: ({ run }) => <Time time={run.startTime} />,
  closed: ({ run }) => <Time time={run.closeTime} />,
  duration: ({ run }) => <Duration run={run} />,
  events: ({ run }) => <span className="t2">{isCounted(run) ? formatCount(run.historyLength) : '–'}</span>,
  size: ({ run }) => <span className="t2">{isCounted(run) ? formatBytes(run.historySizeBytes) : '–'}</span>,
  keys: ({ run }) => <Keys run={run} />,
  run: ({ run }) => <span className="ellipsis mono t2">{run.runId}</span>,
  parent: ({ run }) => (
    <span className="ellipsis mono t2">{escapeInvisible(run.parent?.workflowId ?? '–')}</span>
  ),
};

const Why = ({ run, namespace, problem }: RunProps) => (
  <Suspense>
    <WhyCell run={run} namespace={namespace} problem={problem?.detail} />
  </Suspense>
);

function Status({ run, problem }: { run: WorkflowSummary; problem: Problem | undefined }) {
  const outcome = outcomeOf(run.status);
  if (problem) return <ProblemMark problem={problem} status={outcomeText[outcome]} />;
  return (
    <span className={styles['outcome']} data-outcome={outcome}>
      <OutcomeGlyph outcome={outcome} />
      <span>{outcomeText[outcome]}</span>
    </span>
  );
}

/** Marks a run that is picked for a comparison. */
const PickMark = ({ pick }: { pick: number }) =>
  pick === 0 ? null : (
    <span className={styles['pick']}>
      <GitCompareArrows size={12} aria-hidden="true" />
      <span className="sr-only">picked to compare, </span>
      {pick}
    </span>
  );

/** Marks a run whose payloads contain the searched text. */
const MatchMark = ({ matches }: { matches: number }) =>
  matches === 0 ? null : (
    <span className={styles['match']} data-tip={`${plural(matches, 'match', 'matches')} of the search`}>
      <ScanSearch size={12} aria-hidden="true" />
      {formatCount(matches)}
      <span className="sr-only"> {matches === 1 ? 'match' : 'matches'}</span>
    </span>
  );

/**
 * A checkbox that picks a run for a comparison. The checkbox appears in the row with the pointer or the
 * focus, and in every row while the user is picking runs.
 */
function PickBox({ run, pick, picking, onPick }: RunProps) {
  return (
    <CheckBox
      className={clsx(styles['box'], (picking || pick > 0) && styles['shown'])}
      tabIndex={-1}
      checked={pick > 0}
      aria-label={`Pick ${escapeInvisible(run.workflowId)} to compare`}
      data-tip="Pick to compare"
      data-tip-key={firstKey('row.pick')}
      onClick={(event) => event.stopPropagation()}
      onChange={() => onPick(run)}
    />
  );
}

function Id({ run, row, namespace, pick, picking, matches, onExpand }: RunProps) {
  return (
    <div className={styles['ids']} style={{ paddingLeft: indentOf(row.level) }}>
      <button
        type="button"
        className={styles['expand']}
        style={{ left: indentOf(row.level) - 8 }}
        tabIndex={-1}
        aria-label={row.expanded ? 'Hide child workflows' : 'Show child workflows'}
        data-tip={row.expanded ? 'Hide child workflows' : 'Show child workflows'}
        data-tip-key={firstKey(row.expanded ? 'group.collapse' : 'group.expand')}
        data-expanded={row.expanded ? '' : undefined}
        onClick={(event) => {
          event.stopPropagation();
          onExpand(row);
        }}
      >
        <ChevronRight size={14} />
      </button>
      <RunLink run={run} namespace={namespace} picking={picking} />
      <PickMark pick={pick} />
      <MatchMark matches={matches} />
      <CopyButton className={styles['copy']} what="workflow id" text={() => run.workflowId} />
    </div>
  );
}

/** Replaces the status of a run that makes no progress. */
const ProblemMark = ({ problem, status }: { problem: Problem; status: string }) => (
  <span className={styles['outcome']} data-outcome="pending" data-problem="" data-tip={problem.detail}>
    <TriangleAlert size={14} aria-hidden="true" />
    <span className="sr-only">{status}: </span>
    <span className="ellipsis">{problem.text}</span>
  </span>
);

function Time({ time }: { time: string | undefined }) {
  const millis = millisOf(time);
  if (millis === undefined) return <span className="t3">–</span>;
  return (
    <span className="t2">
      <Moment at={millis} />
    </span>
  );
}

function Attribute({ run, name }: { run: WorkflowSummary; name: string }) {
  const value = run.searchAttributes[name];
  if (value === undefined || value === null) return <span className="t3">–</span>;
  return <span className="ellipsis t2">{escapeInvisible(searchAttributeText(value))}</span>;
}

function PhoneCells(props: RunProps) {
  const { run, row, columns, namespace, pick, picking, matches, problem, onExpand } = props;
  const outcome = outcomeOf(run.status);
  const started = millisOf(run.startTime);
  return (
    <div role="gridcell" className={styles['lines']} style={{ paddingLeft: indentOf(row.level) }}>
      {picking ? <PickBox {...props} /> : null}
      <div className={styles['line']}>
        <RunLink run={run} namespace={namespace} picking={picking} />
        <PickMark pick={pick} />
        <MatchMark matches={matches} />
        <span className="spacer" />
        <Duration run={run} />
        <OutcomeGlyph outcome={outcome} />
        <span className="sr-only">{outcomeText[outcome]}</span>
      </div>
      <div className={styles['line']}>
        {problem ? (
          <ProblemMark problem={problem} status={outcomeText[outcome]} />
        ) : columns.includes('why') && failedStatuses.includes(run.status) ? (
          <Why {...props} />
        ) : (
          <Fragment>
            <span className="ellipsis t2">{escapeInvisible(run.type)}</span>
            <span className="t3">{started === undefined ? null : <Moment at={started} />}</span>
          </Fragment>
        )}
        <span className="spacer" />
        {columns.includes('keys') ? <Keys run={run} /> : null}
        {row.expanded ? (
          <button
            type="button"
            className={styles['expand']}
            data-expanded=""
            tabIndex={-1}
            aria-label="Hide child workflows"
            onClick={(event) => {
              event.stopPropagation();
              onExpand(row);
            }}
          >
            <ChevronRight size={14} />
          </button>
        ) : null}
      </div>
    </div>
  );
}

/** Returns whether a run's length and size are known: Temporal's visibility store has them only after the run has closed. */
const isCounted = (run: WorkflowSummary) => run.historyLength > 0 || !isOpen(run.status);

function RunLink({ run, namespace, picking }: Pick<RunProps, 'run' | 'namespace' | 'picking'>) {
  if (picking)
    return <span className={clsx(styles['link'], 'ellipsis')}>{escapeInvisible(run.workflowId)}</span>;
  return (
    <Link
      to="/ns/$namespace/workflows/$workflowId/$runId"
      params={{ namespace, workflowId: run.workflowId, runId: run.runId }}
      className={clsx(styles['link'], 'ellipsis')}
      data-tip={escapeInvisible(run.workflowId)}
      tabIndex={-1}
    >
      {escapeInvisible(run.workflowId)}
    </Link>
  );
}

function Duration({ run }: { run: WorkflowSummary }) {
  const started = millisOf(run.startTime);
  const closed = millisOf(run.closeTime);
  if (started === undefined) return null;
  if (closed !== undefined) return <span className="t2">{formatDurationShort(closed - started)}</span>;
  return isOpen(run.status) ? <Ticking since={started} outcome={outcomeOf(run.status)} /> : null;
}

/** Only this part of a row renders every second, because rendering the whole table takes long. */
function Ticking({ since, outcome }: { since: number; outcome: Outcome }) {
  const now = useNow(true);
  return (
    <span className={styles['live']} data-outcome={outcome}>
      {formatTicking(now - since)}
    </span>
  );
}

function Keys({ run }: { run: WorkflowSummary }) {
  const badges = keyBadges(run.memo, noFindings, true);
  return badges.length > 0 ? <KeyBadges badges={badges} /> : <span className="t3">–</span>;
}
