import type { WorkflowCount, WorkflowStatus } from '@temporal-kms/codec-api';
import { OutcomeGlyph } from '../../components/glyphs.tsx';
import { formatCount } from '../../model/format/number.ts';
import { outcomeOf, outcomeText } from '../../model/outcome.ts';
import styles from './status-counts.module.css';

/** Always there, so that the row of chips doesn't change with what happens to run. */
const usual: readonly WorkflowStatus[] = ['Running', 'Completed', 'Failed', 'TimedOut', 'Canceled'];
const others: readonly WorkflowStatus[] = ['Terminated', 'ContinuedAsNew', 'Paused'];

interface StatusCountsProps {
  readonly count: WorkflowCount | undefined;
  readonly chosen: readonly WorkflowStatus[];
  readonly onToggle: (status: WorkflowStatus) => void;
}

export function StatusCounts({ count, chosen, onToggle }: StatusCountsProps) {
  const shown = [
    ...usual,
    ...others.filter((status) => (count?.byStatus[status] ?? 0) > 0 || chosen.includes(status)),
  ];
  return (
    <div className={styles['counts']} role="group" aria-label="Filter by status">
      {shown.map((status) => {
        const outcome = outcomeOf(status);
        return (
          <button
            key={status}
            type="button"
            className={styles['count']}
            aria-pressed={chosen.includes(status)}
            onClick={() => onToggle(status)}
          >
            <OutcomeGlyph outcome={outcome} />
            <span className="t2">{outcomeText[outcome]}</span>
            <span className={styles['number']}>{count ? formatCount(count.byStatus[status] ?? 0) : '–'}</span>
          </button>
        );
      })}
    </div>
  );
}
