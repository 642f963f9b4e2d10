import { Link } from '@tanstack/react-router';
import { escapeInvisible, type WorkflowSummary } from '@temporal-kms/codec-api';
import { clsx } from 'clsx';
import { memo } from 'react';
import { CopyButton } from '../../components/copy-button.tsx';
import { OutcomeGlyph } from '../../components/outcome.tsx';
import { formatDurationShort, formatTicking } from '../../model/format/duration.ts';
import { formatBytes, formatCount } from '../../model/format/number.ts';
import { formatClock, formatDay, formatMomentExact } from '../../model/format/time.ts';
import { keyBadges } from '../../model/keys.ts';
import { isOpen, outcomeOf, outcomeText } from '../../model/outcome.ts';
import { millisOf } from '../../model/values.ts';
import { useZone } from '../../state/preferences.ts';
import { KeyBadges } from '../payload/key-badges.tsx';
import styles from './workflow-row.module.css';

interface WorkflowCellsProps {
  readonly row: WorkflowSummary;
  readonly namespace: string;
  readonly phone: boolean;
  /** Zero for closed runs, so that the clock does not render them again. */
  readonly now: number;
}

const noFindings = new Map();

/** The cells of a run in the list. */
export const WorkflowCells = memo(function WorkflowCells(props: WorkflowCellsProps) {
  return props.phone ? <PhoneCells {...props} /> : <GridCells {...props} />;
});

function GridCells({ row, namespace, now }: WorkflowCellsProps) {
  const zone = useZone();
  const outcome = outcomeOf(row.status);
  const started = millisOf(row.startTime);
  return (
    <>
      <div role="gridcell" className={styles['status']} data-outcome={outcome}>
        <OutcomeGlyph outcome={outcome} />
        <span>{outcomeText[outcome]}</span>
      </div>
      <div role="gridcell" className={styles['id']}>
        <RunLink row={row} namespace={namespace} />
        <CopyButton className={styles['copy']} what="workflow id" text={() => row.workflowId} />
      </div>
      <div role="gridcell" className="ellipsis">
        {escapeInvisible(row.type)}
      </div>
      <div role="gridcell" className={clsx('ellipsis t2', styles['wide'])}>
        {escapeInvisible(row.taskQueue)}
      </div>
      <div
        role="gridcell"
        className="t2"
        title={started === undefined ? undefined : formatMomentExact(started, zone)}
      >
        {started === undefined ? null : (
          <>
            <span className="t3">{formatDay(started, zone)}</span> {formatClock(started, zone)}
          </>
        )}
      </div>
      <div role="gridcell" className={styles['right']}>
        <Duration row={row} now={now} />
      </div>
      <div role="gridcell" className={clsx(styles['right'], 't2')}>
        {isCounted(row) ? formatCount(row.historyLength) : '–'}
      </div>
      <div role="gridcell" className={clsx(styles['right'], styles['wide'], 't2')}>
        {isCounted(row) ? formatBytes(row.historySizeBytes) : '–'}
      </div>
      <div role="gridcell" className={styles['keys']}>
        <Keys row={row} />
      </div>
    </>
  );
}

function PhoneCells({ row, namespace, now }: WorkflowCellsProps) {
  const zone = useZone();
  const outcome = outcomeOf(row.status);
  const started = millisOf(row.startTime);
  return (
    <div role="gridcell" className={styles['lines']}>
      <div className={styles['line']}>
        <RunLink row={row} namespace={namespace} />
        <span className="spacer" />
        <Duration row={row} now={now} />
        <OutcomeGlyph outcome={outcome} />
        <span className="sr-only">{outcomeText[outcome]}</span>
      </div>
      <div className={styles['line']}>
        <span className="ellipsis t2">{escapeInvisible(row.type)}</span>
        <span className="t3">
          {started === undefined ? null : `${formatDay(started, zone)} ${formatClock(started, zone)}`}
        </span>
        <span className="spacer" />
        <Keys row={row} />
      </div>
    </div>
  );
}

/** Temporal's visibility store knows the length and the size of a run only after the run has closed. */
const isCounted = (row: WorkflowSummary) => row.historyLength > 0 || !isOpen(row.status);

function RunLink({ row, namespace }: { row: WorkflowSummary; namespace: string }) {
  return (
    <Link
      to="/ns/$namespace/workflows/$workflowId/$runId"
      params={{ namespace, workflowId: row.workflowId, runId: row.runId }}
      className={clsx(styles['link'], 'ellipsis')}
      title={escapeInvisible(row.workflowId)}
      tabIndex={-1}
    >
      {escapeInvisible(row.workflowId)}
    </Link>
  );
}

function Duration({ row, now }: { row: WorkflowSummary; now: number }) {
  const started = millisOf(row.startTime);
  const closed = millisOf(row.closeTime);
  if (started === undefined) return null;
  if (closed !== undefined) return <span className="t2">{formatDurationShort(closed - started)}</span>;
  return isOpen(row.status) && now > 0 ? (
    <span className={styles['live']} data-outcome={outcomeOf(row.status)}>
      {formatTicking(now - started)}
    </span>
  ) : null;
}

function Keys({ row }: { row: WorkflowSummary }) {
  const badges = keyBadges(row.memo, noFindings, true);
  return badges.length > 0 ? <KeyBadges badges={badges} /> : <span className="t3">–</span>;
}
