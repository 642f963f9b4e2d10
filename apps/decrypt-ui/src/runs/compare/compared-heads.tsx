import { escapeInvisible } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events';
import { formatDurationShort } from '../../ui/format/duration.ts';
import { plural } from '../../ui/format/number.ts';
import { shortRunId } from '../../ui/format/run-id.ts';
import { formatMoment } from '../../ui/format/time.ts';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { OutcomeChip } from '../../ui/text/outcome.tsx';
import { outcomeOf, outcomeText } from '../outcome.ts';
import { RunAnchor } from '../run-link.tsx';
import type { RunScope } from '../run/run-context.tsx';
import styles from './compare-page.module.css';

interface ComparedHeadsProps {
  readonly left: RunScope;
  readonly right: RunScope;
}

/** The facts about the two runs, side by side. */
export function ComparedHeads({ left, right }: ComparedHeadsProps) {
  return (
    <header className={styles['head']}>
      <h1 className={styles['title']}>Compare runs</h1>
      <div className={styles['heads']}>
        <Head scope={left} name="First run" />
        <Head scope={right} name="Second run" base={left} />
      </div>
    </header>
  );
}

interface HeadProps {
  readonly scope: RunScope;
  readonly name: string;
  /** The other run, with whose duration this run's duration is compared. */
  readonly base?: RunScope;
}

/** Returns a closed run's duration in milliseconds. */
function tookOf({ run: { description } }: RunScope): number | undefined {
  const started = millisOf(description.workflow.startTime);
  const closed = millisOf(description.workflow.closeTime);
  return started === undefined || closed === undefined ? undefined : closed - started;
}

function Head({ scope, name, base }: HeadProps) {
  const format = useTimeFormat();
  const { address, description } = scope.run;
  const { workflow } = description;
  const outcome = outcomeOf(workflow.status);
  const started = millisOf(workflow.startTime);
  const took = tookOf(scope);
  const baseTook = base && tookOf(base);
  const more = took === undefined || baseTook === undefined ? 0 : took - baseTook;
  const facts = [
    workflow.type,
    started === undefined ? undefined : formatMoment(started, format),
    took === undefined
      ? undefined
      : `${formatDurationShort(took)}${more === 0 ? '' : ` (${formatDurationShort(Math.abs(more))} ${more > 0 ? 'longer' : 'shorter'})`}`,
    plural(workflow.historyLength, 'event'),
  ];
  return (
    <section aria-label={name} className={styles['run']}>
      <RunAnchor run={address} className={styles['id']}>
        {escapeInvisible(address.workflowId)}
      </RunAnchor>
      <span className="mono t3">{shortRunId(address.runId)}</span>
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
