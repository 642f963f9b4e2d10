import { failureChain, type FailureLevel, headline } from '@temporal-kms/histories/failures';
import { useIsGone, usePayload } from '../../payloads/payloads-context.tsx';
import { formatCount } from '../../ui/format/number.ts';
import { formatMoment } from '../../ui/format/time.ts';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { SummaryCell } from '../history/summary-cell.tsx';
import type { SeenFailure } from '../run/failures-seen.ts';
import styles from './panes.module.css';

interface SeenFailuresProps {
  /** The failures, in the order of their attempts. */
  readonly failures: readonly SeenFailure[];
}

/**
 * The failures of earlier attempts. Temporal no longer has these failures, so the page shows those that it
 * has seen.
 */
export function SeenFailures({ failures }: SeenFailuresProps) {
  const format = useTimeFormat();
  if (failures.length === 0) return null;
  return (
    <section className={styles['section']} aria-label="Earlier attempts">
      <header className={styles['head']}>
        <h3>Earlier attempts</h3>
        <span className={styles['note']}>
          seen while this page was open; Temporal keeps only the last failure
        </span>
      </header>
      <ol className={styles['attempts']}>
        {failures.toReversed().map(({ attempt, endedAt, failure }) => (
          <li key={`${attempt} ${endedAt ?? ''}`}>
            <span className="t2">
              Attempt {formatCount(attempt)} failed
              {endedAt === undefined ? '' : ` at ${formatMoment(endedAt, format)}`}:
            </span>{' '}
            <SeenMessage level={headline(failureChain(failure))} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function SeenMessage({ level }: { readonly level: FailureLevel | undefined }) {
  // Keeps the payload in view, because its answer is dropped once no component has it in view.
  usePayload(level?.encoded);
  const gone = useIsGone(level?.encoded);
  if (level === undefined) return null;
  if (gone)
    return (
      <>
        {level.details[0] ?? level.kind} <span className="t3">message no longer stored</span>
      </>
    );
  return <SummaryCell summary={{ kind: 'failure', level, outcome: 'failed' }} />;
}
