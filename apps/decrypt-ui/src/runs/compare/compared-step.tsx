import { clsx } from 'clsx';
import { groupName } from '@temporal-kms/histories/events';
import { Button } from '../../ui/controls/button.tsx';
import { formatDurationShort } from '../../ui/format/duration.ts';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { categoryText, groupOutcome, groupSummary } from '../events/describe-group.ts';
import type { Group } from '../events/history.ts';
import { isStart, resultName } from '../events/run-ends.ts';
import { CategoryIcon } from '../history/category-icon.tsx';
import { LabelText, SummaryCell } from '../history/summary-cell.tsx';
import { outcomeText } from '../outcome.ts';
import { type RunScope, RunScopeProvider } from '../run/run-context.tsx';
import styles from './compare-page.module.css';
import { FirstDifference } from './compared-values.tsx';
import type { AlignedStep } from './run-alignment.ts';
import { type StepOfRuns, useStepDifferences } from './step-differences.ts';
import { isSingle } from './use-aligned-steps.ts';

/**
 * Returns the name of the runs' inputs or ends: `Input`, `Result`, `Failure`, `End` (without a value), or
 * `Result and failure` if the runs ended differently.
 */
export function nameOfEnd({ left, right }: AlignedStep): string {
  const names = [left, right].flatMap((group) =>
    group ? (isStart(group) ? 'input' : (resultName(group.events[0]) ?? 'end')) : [],
  );
  const text = [...new Set(names)].join(' and ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

interface StepProps extends StepOfRuns {
  readonly onOpen: () => void;
}

/**
 * The comparison of the runs' inputs or of their ends. The inputs and the ends are also shown above the list
 * of steps, because they are far apart in a long history.
 */
export function EndStep({ onOpen, ...compared }: StepProps) {
  const { step } = compared;
  const { text, different } = useStepDifferences(compared);
  const name = nameOfEnd(step);
  const verb = name.includes(' and ') ? 'differ' : 'differs';
  return (
    <Button size="small" className={styles['end']} onClick={onOpen}>
      {name}{' '}
      <span className={styles['mark']} data-different={different || undefined}>
        {different && step.left && step.right ? verb : text}
      </span>
    </Button>
  );
}

/** A step of two runs: what each run did, and how they differ. */
export function ComparedStep({ onOpen, current, ...compared }: StepProps & { readonly current: boolean }) {
  const { step, left, right } = compared;
  const { text, different, values } = useStepDifferences(compared);
  return (
    <button
      type="button"
      className={styles['step']}
      onClick={onOpen}
      aria-current={current || undefined}
      data-single={isSingle(step) || undefined}
    >
      <Half group={step.left} scope={left} />
      <Half group={step.right} scope={right} />
      <span className={styles['mark']} data-different={different || undefined}>
        {text}
        {text !== '' && values.length > 0 ? ', ' : ''}
        <FirstDifference values={values} />
      </span>
    </button>
  );
}

function Half({ group, scope }: { group: Group | undefined; scope: RunScope }) {
  if (!group) return <span className={clsx(styles['half'], styles['none'])}>not in this run</span>;
  const outcome = groupOutcome(group, scope.run.open);
  return (
    <RunScopeProvider scope={scope}>
      <span className={styles['half']}>
        <span className={styles['number']}>{group.id}</span>
        <span className={styles['category']} data-tip={categoryText[group.category]}>
          <CategoryIcon category={group.category} size={14} />
        </span>
        <span className={clsx(styles['name'], 'ellipsis')}>
          <LabelText label={groupName(group)} />
        </span>
        {outcome ? (
          <>
            <OutcomeGlyph outcome={outcome} />
            <span className="sr-only">{outcomeText[outcome]}</span>
          </>
        ) : null}
        <span className={styles['summary']}>
          <SummaryCell summary={groupSummary(group)} />
        </span>
        <span className={styles['duration']}>{duration(group)}</span>
      </span>
    </RunScopeProvider>
  );
}

const duration = (group: Group) =>
  group.events.length > 1 ? formatDurationShort(group.lastAt - group.events[0].at) : '';
