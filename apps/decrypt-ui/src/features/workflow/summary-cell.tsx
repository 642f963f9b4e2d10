import type { FailureLevel } from '../../model/failure.ts';
import type { Summary } from '../../model/describe-group.ts';
import type { Outcome } from '../../model/outcome.ts';
import { formatTick, formatTicking } from '../../model/format/duration.ts';
import { formatDay, formatHour } from '../../model/format/time.ts';
import { usePayload } from '../../payloads/payloads-context.tsx';
import { useZone } from '../../state/preferences.ts';
import { levelText } from '../payload/failure-view.tsx';
import { PayloadCell, PayloadLine } from '../payload/payload-cell.tsx';
import { useRun } from './run-context.tsx';
import styles from './summary-cell.module.css';

interface SummaryCellProps {
  readonly summary: Summary;
  readonly now?: number;
}

/** The one thing that says most about a row. */
export function SummaryCell({ summary, now = 0 }: SummaryCellProps) {
  const { stub } = useRun();
  const zone = useZone();
  switch (summary.kind) {
    case 'text':
      return <span className="t3 ellipsis">{summary.text}</span>;
    case 'payload':
      return <PayloadCell payload={summary.ref} stub={stub(summary.ref)} as="words" />;
    case 'failure':
      return <FailureLine {...summary} now={now} />;
    case 'timer': {
      const { duration, firesAt } = summary;
      const fires =
        firesAt === undefined ? '' : `, fires ${formatDay(firesAt, zone)} ${formatHour(firesAt, zone)}`;
      return <span className="t2 ellipsis">{`${formatTick(duration)}${fires}`}</span>;
    }
    default:
      return null;
  }
}

interface FailureLineProps {
  readonly level: FailureLevel;
  readonly outcome: Outcome;
  readonly retryAt?: number;
  readonly now: number;
}

function FailureLine({ level, outcome, retryAt, now }: FailureLineProps) {
  const { stub } = useRun();
  const own = level.encoded ? stub(level.encoded) : undefined;
  const view = usePayload(level.encoded, own);
  const wait =
    retryAt !== undefined && retryAt > now ? `, retries in ${formatTicking(retryAt - now + 999)}` : '';
  if (level.encoded !== undefined && view.status !== 'open') {
    return (
      <span className={styles['failure']}>
        <PayloadLine view={view} stub={own} />
        {wait ? <span className="t2">{wait.slice(2)}</span> : null}
      </span>
    );
  }
  const { message } = levelText(level, view);
  const text = message || level.details[0] || level.kind;
  return (
    <span
      className={`${styles['message']} ellipsis`}
      data-outcome={outcome === 'pending' ? 'neutral' : outcome}
    >
      {text.split('\n', 1)[0]}
      {wait}
    </span>
  );
}
