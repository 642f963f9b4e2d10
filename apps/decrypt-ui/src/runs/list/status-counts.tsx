import { clsx } from 'clsx';
import type { WorkflowCount, WorkflowStatus } from '@temporal-kms/codec-api';
import { useState } from 'react';
import { formatCount } from '../../ui/format/number.ts';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { outcomeOf, outcomeText } from '../outcome.ts';
import styles from './status-counts.module.css';

/** A status has a button if a run has the status, or if the status is chosen. */
const statuses: readonly WorkflowStatus[] = [
  'Running',
  'Completed',
  'Failed',
  'TimedOut',
  'Canceled',
  'Terminated',
  'ContinuedAsNew',
  'Paused',
];
/** Statuses whose hidden buttons reserve space until the counts are known. */
const usual = statuses.slice(0, 5);

interface StatusCountsProps {
  readonly count: WorkflowCount | undefined;
  /** The earlier counts with which `count` is compared. */
  readonly before: WorkflowCount | undefined;
  /**
   * Whether the buttons are visible. The buttons are hidden until the counts are known, because counts add
   * buttons and widen them. Hidden buttons still take up space.
   */
  readonly shown: boolean;
  readonly chosen: readonly WorkflowStatus[];
  /** The function is undefined for a query that the page cannot edit. */
  readonly onToggle: ((status: WorkflowStatus) => void) | undefined;
}

/**
 * Shows the number of runs with each status, and how this number has changed. A click on a status filters the
 * list.
 */
export function StatusCounts({ count, before, shown, chosen, onToggle }: StatusCountsProps) {
  // Once the button of a status has appeared, it stays, because buttons that come and go would move the other
  // buttons under the pointer.
  const [seen, setSeen] = useState<readonly WorkflowStatus[]>([]);
  const added = statuses.filter(
    (status) => !seen.includes(status) && ((count?.byStatus[status] ?? 0) > 0 || chosen.includes(status)),
  );
  if (added.length > 0) setSeen([...seen, ...added]);
  const listed = count ? statuses.filter((status) => seen.includes(status)) : usual;
  return (
    <div
      className={clsx(styles['counts'], 'fades')}
      data-shown={shown ? '' : undefined}
      role="group"
      aria-label="Filter by status"
    >
      {listed.map((status) => {
        const outcome = outcomeOf(status);
        const now = count?.byStatus[status] ?? 0;
        const change = count && before ? now - (before.byStatus[status] ?? 0) : 0;
        return (
          <button
            key={status}
            type="button"
            className={styles['count']}
            aria-pressed={chosen.includes(status)}
            // The button is not `disabled`: on a phone the row of buttons scrolls, so the row must contain a
            // focusable element.
            aria-disabled={onToggle === undefined}
            data-tip={change === 0 ? undefined : `${signed(change)} since the list was loaded`}
            onClick={() => onToggle?.(status)}
          >
            <OutcomeGlyph outcome={outcome} />
            <span className="t2">{outcomeText[outcome]}</span>
            <span className={styles['number']}>{count ? now > 0 && formatCount(now) : '–'}</span>
            {change === 0 ? null : <span className={styles['change']}>{signed(change)}</span>}
          </button>
        );
      })}
    </div>
  );
}

const signed = (change: number) => `${change > 0 ? '+' : '−'}${formatCount(Math.abs(change))}`;
