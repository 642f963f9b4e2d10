import { clsx } from 'clsx';
import { useMemo, useState } from 'react';
import { OutcomeGlyph } from '../../components/outcome.tsx';
import { Segmented } from '../../components/segmented.tsx';
import { VirtualList } from '../../components/virtual-list.tsx';
import { categoryText, groupName, groupOutcome, groupSummary } from '../../model/describe-group.ts';
import { formatDurationShort } from '../../model/format/duration.ts';
import { plural } from '../../model/format/number.ts';
import type { Group } from '../../model/history.ts';
import { outcomeText } from '../../model/outcome.ts';
import { type AlignedStep, payloadPairs } from '../../model/run-alignment.ts';
import { type RunScope, RunScopeProvider } from '../../run/run-context.tsx';
import { PHONE_BELOW, useNarrowerThan } from '../../state/media.ts';
import { CategoryIcon } from '../history/category-icon.tsx';
import { LabelText, SummaryCell } from '../history/summary-cell.tsx';
import styles from './compare-page.module.css';
import { ComparedHeads } from './compared-heads.tsx';
import { type PairCounts, usePairCounts } from './pair-state.ts';
import { StepDialog } from './step-dialog.tsx';
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

function Step({ step, left, right, onOpen }: Scopes & { step: AlignedStep; onOpen: () => void }) {
  const pairs = useMemo(() => payloadPairs(step), [step]);
  const counts = usePairCounts(left, right, pairs);
  return (
    <button
      type="button"
      className={styles['step']}
      onClick={onOpen}
      data-single={isSingle(step) || undefined}
    >
      <Half group={step.left} scope={left} />
      <Half group={step.right} scope={right} />
      <Mark step={step} counts={counts} left={left} right={right} />
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

/** In which the two runs differ at this step, in words. */
function Mark({ step, counts, left, right }: Scopes & { step: AlignedStep; counts: PairCounts }) {
  const texts = differences(step, counts, left, right);
  return (
    <span className={styles['mark']} data-different={texts.different || undefined}>
      {texts.text}
    </span>
  );
}

function differences(
  { left: ours, right: theirs }: AlignedStep,
  counts: PairCounts,
  left: RunScope,
  right: RunScope,
): { text: string; different: boolean } {
  if (!ours || !theirs) return { text: ours ? 'first run only' : 'second run only', different: true };
  const outcomes = [groupOutcome(ours, left.run.open), groupOutcome(theirs, right.run.open)];
  const found = [
    ...(outcomes[0] === outcomes[1] ? [] : ['outcome']),
    ...(ours.attempt === theirs.attempt ? [] : ['attempts']),
    ...(counts.different > 0 ? [plural(counts.different, 'payload')] : []),
    ...(counts.single > 0 ? [`${plural(counts.single, 'payload')} in one run`] : []),
  ];
  if (found.length > 0) return { text: `differs: ${found.join(', ')}`, different: true };
  if (counts.hidden > 0) return { text: 'locked', different: false };
  if (counts.waiting > 0) return { text: '…', different: false };
  if (counts.unreadable > 0) return { text: 'unreadable', different: false };
  return { text: 'equal', different: false };
}
