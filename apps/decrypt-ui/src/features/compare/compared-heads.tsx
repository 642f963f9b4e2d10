import { escapeInvisible } from '@temporal-kms/codec-api';
import { OutcomeChip } from '../../components/outcome.tsx';
import { formatDurationShort } from '../../model/format/duration.ts';
import { formatMoment } from '../../model/format/time.ts';
import { plural } from '../../model/format/number.ts';
import { outcomeOf, outcomeText } from '../../model/outcome.ts';
import { millisOf } from '../../model/values.ts';
import type { RunScope } from '../../run/run-context.tsx';
import { useTimeFormat } from '../../state/preferences.ts';
import { RunAnchor } from '../links/run-link.tsx';
import styles from './compare-page.module.css';

interface ComparedHeadsProps {
  readonly left: RunScope;
  readonly right: RunScope;
}

/** What the two runs are, next to each other. */
export function ComparedHeads({ left, right }: ComparedHeadsProps) {
  return (
    <header className={styles['head']}>
      <h1 className={styles['title']}>Compare runs</h1>
      <div className={styles['heads']}>
        <Head scope={left} name="First run" />
        <Head scope={right} name="Second run" />
      </div>
    </header>
  );
}

function Head({ scope, name }: { scope: RunScope; name: string }) {
  const format = useTimeFormat();
  const { address, description } = scope.run;
  const { workflow } = description;
  const outcome = outcomeOf(workflow.status);
  const started = millisOf(workflow.startTime);
  const closed = millisOf(workflow.closeTime);
  const facts = [
    workflow.type,
    started === undefined ? undefined : formatMoment(started, format),
    started === undefined || closed === undefined ? undefined : formatDurationShort(closed - started),
    plural(workflow.historyLength, 'event'),
  ];
  return (
    <section aria-label={name} className={styles['run']}>
      <RunAnchor run={address} className={styles['id']}>
        {escapeInvisible(address.workflowId)}
      </RunAnchor>
      <span className="mono t3">{address.runId.slice(0, 8)}</span>
      <OutcomeChip outcome={outcome}>{outcomeText[outcome]}</OutcomeChip>
      <span className={styles['facts']}>
        {facts
          .filter(Boolean)
          .map((fact) => escapeInvisible(fact ?? ''))
          .join(', ')}
      </span>
    </section>
  );
}
