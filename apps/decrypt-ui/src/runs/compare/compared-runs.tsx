import { ArrowDown, ArrowUp } from 'lucide-react';
import { useCallback, useMemo, useState } from 'react';
import { tip } from '../../ui/commands/commands.ts';
import { useCommands } from '../../ui/commands/registry.ts';
import { Button } from '../../ui/controls/button.tsx';
import { Segmented } from '../../ui/controls/segmented.tsx';
import { formatCount, plural } from '../../ui/format/number.ts';
import { VirtualList } from '../../ui/grid/virtual-list.tsx';
import { PHONE_BELOW, useNarrowerThan } from '../../ui/preferences/window-size.ts';
import { isEnd, isStart } from '../events/run-ends.ts';
import type { RunScope } from '../run/run-context.tsx';
import styles from './compare-page.module.css';
import { ComparedHeads } from './compared-heads.tsx';
import { ComparedStep, EndStep, nameOfEnd } from './compared-step.tsx';
import { Consequences } from './compared-values.tsx';
import { type Substitution, substitutionsOf } from './consequences.ts';
import type { AlignedStep } from './run-alignment.ts';
import { StepDialog } from './step-dialog.tsx';
import { useStepDifferences } from './step-differences.ts';
import { ScanChunk, ScanStep, stepKey, useStepScan, type Verdict } from './step-scan.tsx';
import { useAlignedSteps } from './use-aligned-steps.ts';

interface Scopes {
  readonly left: RunScope;
  readonly right: RunScope;
}

/**
 * If there are at most this many steps, the page compares all of them when it opens. If there are more, it
 * first compares the steps up to the first difference, and compares further steps when the user jumps to the
 * next difference or lists only differences.
 */
const COMPARED_AT_ONCE = 500;

const nothing: readonly Substitution[] = [];
const noStep: AlignedStep = {};

/** The aligned steps of two runs. At first, shows the first differing step. */
export function ComparedRuns({ left, right }: Scopes) {
  const { steps, state } = useAlignedSteps(left, right);
  const [shown, setShown] = useState<'all' | 'different'>('all');
  const [opened, setOpened] = useState<AlignedStep>();
  const start = steps.find(isStartStep);
  const input = useStepDifferences({ step: start ?? noStep, left, right, substitutions: nothing });
  const substitutions = useSubstitutions(input.values);
  const { add, chunk, verdicts } = useStepScan(steps, substitutions);
  /**
   * Updates the verdict on the step that the user has opened, because they may read its payloads from
   * external storage.
   */
  const remember = useCallback((key: string, verdict: Verdict) => add(new Map([[key, verdict]])), [add]);
  const isDifferent = (step: AlignedStep) => verdicts.get(stepKey(step))?.different === true;
  const rows = shown === 'all' ? steps : steps.filter(isDifferent);
  const { current, isSearching, go } = useJump(rows, isDifferent, chunk.length === 0);
  const isScanning =
    !input.waiting &&
    (steps.length <= COMPARED_AT_ONCE || shown === 'different' || current === undefined || isSearching);
  const phone = useNarrowerThan(PHONE_BELOW);
  /**
   * Returns the substitutions for a step. The input step has no substitutions, because its differences must
   * not count as their own consequences.
   */
  const ownSubstitutions = (step: AlignedStep) => (step === start ? nothing : substitutions);
  useCommands({ 'difference.next': () => go(1), 'difference.previous': () => go(-1) });
  return (
    <>
      {isScanning && chunk.length > 0 ? (
        <ScanChunk
          key={chunk.map(stepKey).join()}
          steps={chunk}
          left={left}
          right={right}
          substitutionsOf={ownSubstitutions}
          onDone={add}
        />
      ) : null}
      <ComparedHeads left={left} right={right} />
      <div className={styles['tools']}>
        <span role="status" className="t2">
          {state}
        </span>
        <span className="spacer" />
        <span className={styles['ends']}>
          {[start, steps.findLast(isEndStep)].map((step) =>
            step ? (
              <EndStep
                key={nameOfEnd(step)}
                step={step}
                left={left}
                right={right}
                substitutions={ownSubstitutions(step)}
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
            { value: 'different', text: 'Only differences' },
          ]}
          onChange={setShown}
        />
        <Button
          look="ghost"
          icon
          aria-label="Previous difference"
          {...tip('difference.previous')}
          onClick={() => go(-1)}
        >
          <ArrowUp size={14} />
        </Button>
        <Button
          look="ghost"
          icon
          aria-label="Next difference"
          {...tip('difference.next')}
          onClick={() => go(1)}
        >
          <ArrowDown size={14} />
        </Button>
      </div>
      <Consequences substitutions={substitutions} verdicts={verdicts} />
      {shown === 'different' ? (
        <DifferencesNote steps={steps} rows={rows.length} verdicts={verdicts} />
      ) : null}
      <VirtualList
        count={rows.length}
        itemHeight={phone ? 88 : 36}
        current={current}
        label="Steps of the two runs"
        className={styles['list']}
        renderItem={(index) => {
          const step = rows[index];
          return step ? (
            <ComparedStep
              step={step}
              left={left}
              right={right}
              substitutions={ownSubstitutions(step)}
              current={index === current}
              onOpen={() => setOpened(step)}
            />
          ) : null;
        }}
      />
      {opened ? (
        <>
          <ScanStep
            step={opened}
            left={left}
            right={right}
            substitutions={ownSubstitutions(opened)}
            onKnown={remember}
          />
          <StepDialog step={opened} left={left} right={right} onClose={() => setOpened(undefined)} />
        </>
      ) : null}
    </>
  );
}

interface DifferencesNoteProps {
  readonly steps: readonly AlignedStep[];
  /** Number of differing steps. */
  readonly rows: number;
  readonly verdicts: ReadonlyMap<string, Verdict>;
}

/** Says what the list of differences does not show: steps that have not been compared or cannot be. */
function DifferencesNote({ steps, rows, verdicts }: DifferencesNoteProps) {
  const found = steps.flatMap((step) => verdicts.get(stepKey(step)) ?? []);
  const unknown = found.filter((verdict) => verdict.unknown).length;
  const texts = [
    ...(found.length < steps.length
      ? [`${formatCount(found.length)} of ${plural(steps.length, 'step')} compared.`]
      : rows === 0 && steps.length > 0
        ? ['No step is known to differ.']
        : []),
    ...(unknown > 0
      ? [`${plural(unknown, 'step')} may differ: payloads are locked, unreadable or in external storage.`]
      : []),
  ];
  return texts.length === 0 ? null : <p className={styles['progress']}>{texts.join(' ')}</p>;
}

const isStartStep = ({ left, right }: AlignedStep) =>
  Boolean((left && isStart(left)) ?? (right && isStart(right)));
const isEndStep = ({ left, right }: AlignedStep) => Boolean((left && isEnd(left)) ?? (right && isEnd(right)));

/** Returns the substitutions between the inputs. Returns the same array until a substitution changes. */
function useSubstitutions(values: Parameters<typeof substitutionsOf>[0]): readonly Substitution[] {
  const text = JSON.stringify(substitutionsOf(values));
  // oxlint-disable-next-line react-hooks/exhaustive-deps -- another array may contain the same values
  return useMemo(() => substitutionsOf(values), [text]);
}

/** Returns the current step, which is the first differing step until the user jumps, and a function that jumps. */
function useJump(
  rows: readonly AlignedStep[],
  isDifferent: (step: AlignedStep) => boolean,
  isComplete: boolean,
) {
  const [chosen, setChosen] = useState<string>();
  const [isSearching, setSearching] = useState(false);
  const first = rows.findIndex(isDifferent);
  const at = chosen === undefined ? first : rows.findIndex((step) => stepKey(step) === chosen);
  const current = at < 0 ? undefined : at;

  /** Returns the closest known difference before (-1) or after (1) the current step. */
  function neighbour(by: 1 | -1): number {
    const from = current ?? (by === 1 ? -1 : rows.length);
    return by === 1
      ? rows.findIndex((step, index) => index > from && isDifferent(step))
      : rows.findLastIndex((step, index) => index < from && isDifferent(step));
  }

  function go(by: 1 | -1) {
    const next = neighbour(by);
    const step = rows[next];
    setSearching(!step && by === 1 && !isComplete);
    if (!step) return;
    setChosen(stepKey(step));
    requestAnimationFrame(() =>
      document.querySelector<HTMLElement>(`[data-item="${next}"] > button`)?.focus(),
    );
  }

  // Ends the search for the next difference once it is found, or all steps are compared.
  const found = isSearching ? rows[neighbour(1)] : undefined;
  if (isSearching && (found || isComplete)) {
    setSearching(false);
    if (found) setChosen(stepKey(found));
  }
  return { current, isSearching, go };
}
