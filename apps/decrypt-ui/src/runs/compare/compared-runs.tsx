import { clsx } from 'clsx';
import { useState } from 'react';
import { groupName } from '@temporal-kms/histories/events';
import { Button } from '../../ui/controls/button.tsx';
import { Segmented } from '../../ui/controls/segmented.tsx';
import { formatDurationShort } from '../../ui/format/duration.ts';
import { VirtualList } from '../../ui/grid/virtual-list.tsx';
import { PHONE_BELOW, useNarrowerThan } from '../../ui/preferences/window-size.ts';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { categoryText, groupOutcome, groupSummary } from '../events/describe-group.ts';
import type { Group } from '../events/history.ts';
import { isEnd, isStart, resultName } from '../events/run-ends.ts';
import { CategoryIcon } from '../history/category-icon.tsx';
import { LabelText, SummaryCell } from '../history/summary-cell.tsx';
import { outcomeText } from '../outcome.ts';
import { type RunScope, RunScopeProvider } from '../run/run-context.tsx';
import styles from './compare-page.module.css';
import { ComparedHeads } from './compared-heads.tsx';
import type { AlignedStep } from './run-alignment.ts';
import { StepDialog } from './step-dialog.tsx';
import { type StepOfRuns, useStepDifferences } from './step-differences.ts';
import { isSingle, useAlignedSteps } from './use-aligned-steps.ts';

interface Scopes {
  readonly left: RunScope;
  readonly right: RunScope;
}

/** The steps of two runs, aligned by what they do, with the payloads in which they differ. */
export function ComparedRuns({ left, right }: Scopes) {
  const { steps, state } = useAlignedSteps(left, right);
  const [shown, setShown] = useState<'all' | 'single'>('all');
  const [opened, setOpened] = useState<AlignedStep>();
  const rows = shown === 'all' ? steps : steps.filter(isSingle);
  const phone = useNarrowerThan(PHONE_BELOW);
  return (
    <>
      <ComparedHeads left={left} right={right} />
      <div className={styles['tools']}>
        <span role="status" className="t2">
          {state}
        </span>
        <span className="spacer" />
        <span className={styles['ends']}>
          {[steps.find(isStartStep), steps.findLast(isEndStep)].map((step) =>
            step ? (
              <End
                key={nameOfEnd(step)}
                step={step}
                left={left}
                right={right}
                onOpen={() => setOpened(step)}
              />
            ) : null,
          )}
        </span>
        <Segmented
          label="Steps"
          className={styles['segmented']}
          value={shown}
          options={[
            { value: 'all', text: 'All steps' },
            { value: 'single', text: 'In one run' },
          ]}
          onChange={setShown}
        />
      </div>
      <VirtualList
        count={rows.length}
        itemHeight={phone ? 88 : 36}
        label="Steps of the two runs"
        className={styles['list']}
        renderItem={(index) => {
          const step = rows[index];
          return step ? <Step step={step} left={left} right={right} onOpen={() => setOpened(step)} /> : null;
        }}
      />
      {opened ? (
        <StepDialog step={opened} left={left} right={right} onClose={() => setOpened(undefined)} />
      ) : null}
    </>
  );
}

const isStartStep = ({ left, right }: AlignedStep) =>
  Boolean((left && isStart(left)) ?? (right && isStart(right)));
const isEndStep = ({ left, right }: AlignedStep) => Boolean((left && isEnd(left)) ?? (right && isEnd(right)));

/** `Input`, `Result`, `Failure`, or `Result and failure` where the runs ended in different ways. */
function nameOfEnd({ left, right }: AlignedStep): string {
  const names = [left, right].flatMap((group) =>
    group ? [isStart(group) ? 'input' : resultName(group.events[0])] : [],
  );
  const text = [...new Set(names)].join(' and ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Whether the runs differ in their input, or in that with which they ended: both are far apart in a long history. */
function End({ step, left, right, onOpen }: StepOfRuns & { onOpen: () => void }) {
  const { text, different } = useStepDifferences({ step, left, right });
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

function Step({ step, left, right, onOpen }: StepOfRuns & { onOpen: () => void }) {
  const { text, different } = useStepDifferences({ step, left, right });
  return (
    <button
      type="button"
      className={styles['step']}
      onClick={onOpen}
      data-single={isSingle(step) || undefined}
    >
      <Half group={step.left} scope={left} />
      <Half group={step.right} scope={right} />
      <span className={styles['mark']} data-different={different || undefined}>
        {text}
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
