import { escapeInvisible } from '@temporal-kms/codec-api';
import { Link } from '@tanstack/react-router';
import type { WorkflowSummary } from '@temporal-kms/codec-api';
import { memo } from 'react';
import { CopyButton } from '../../components/copy-button.tsx';
import { OutcomeGlyph } from '../../components/glyphs.tsx';
import { KeyBadges } from '../../components/key-badges.tsx';
import { formatDurationShort, formatTicking } from '../../model/format/duration.ts';
import { formatBytes, formatCount } from '../../model/format/number.ts';
import { formatClock, formatDay, formatMomentExact } from '../../model/format/time.ts';
import { keyBadges } from '../../model/keys.ts';
import { isOpen, outcomeOf, outcomeText } from '../../model/outcome.ts';
import { millisOf } from '../../model/values.ts';
import { useZone } from '../../state/preferences.ts';
import styles from './workflow-row.module.css';

interface WorkflowRowProps {
  readonly row: WorkflowSummary;
  readonly namespace: string;
  readonly index: number;
  readonly top: number;
  readonly height: number;
  readonly phone: boolean;
  readonly active: boolean;
  /** Zero for closed runs, so that a tick doesn't draw them again. */
  readonly now: number;
  readonly onFocus: (index: number) => void;
  readonly onOpen: (row: WorkflowSummary) => void;
}

const noFindings = new Map();

export const WorkflowRow = memo(function WorkflowRow(props: WorkflowRowProps) {
  const { row, index, top, height, phone, active, onFocus, onOpen } = props;
  return (
    <div
      className={phone ? styles['phone'] : styles['row']}
      style={{ top, height }}
      role="row"
      tabIndex={active ? 0 : -1}
      data-index={index}
      aria-rowindex={index + 2}
      aria-selected={active}
      onFocus={() => onFocus(index)}
      onClick={(event) => {
        // A link that the browser already follows, a modified click, or the end of a text selection.
        if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey) return;
        if (getSelection()?.toString()) return;
        onOpen(row);
      }}
      onKeyDown={() => undefined}
    >
      {phone ? <PhoneCells {...props} /> : <Cells {...props} />}
    </div>
  );
});

function Cells({ row, namespace, now }: WorkflowRowProps) {
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
        <CopyButton className={styles['copy'] ?? ''} what="workflow id" text={() => row.workflowId} />
      </div>
      <div role="gridcell" className="ellipsis">
        {escapeInvisible(row.type)}
      </div>
      <div role="gridcell" className={`ellipsis t2 ${styles['wide']}`}>
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
      <div role="gridcell" className={`${styles['right']} t2`}>
        {counted(row) ? formatCount(row.historyLength) : '–'}
      </div>
      <div role="gridcell" className={`${styles['right']} ${styles['wide']} t2`}>
        {counted(row) ? formatBytes(row.historySizeBytes) : '–'}
      </div>
      <div role="gridcell" className={styles['keys']}>
        <Keys row={row} />
      </div>
    </>
  );
}

function PhoneCells({ row, namespace, now }: WorkflowRowProps) {
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

/** Temporal's visibility store counts a run when it closes. */
const counted = (row: WorkflowSummary) => row.historyLength > 0 || !isOpen(row.status);

function RunLink({ row, namespace }: { row: WorkflowSummary; namespace: string }) {
  return (
    <Link
      to="/ns/$namespace/workflows/$workflowId/$runId"
      params={{ namespace, workflowId: row.workflowId, runId: row.runId }}
      className={`${styles['link']} ellipsis`}
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
