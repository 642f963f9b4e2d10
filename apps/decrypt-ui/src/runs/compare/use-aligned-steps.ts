import { useMemo, useState } from 'react';
import { useDiff } from '../../payloads/diff/use-diff.ts';
import { plural } from '../../ui/format/number.ts';
import type { RunScope } from '../run/run-context.tsx';
import { type AlignedStep, alignedSteps, MAX_STEPS, stepsOf, subjectsOf } from './run-alignment.ts';

interface AlignedSteps {
  readonly steps: readonly AlignedStep[];
  /** Says how many steps there are, or why they are missing or incomplete. */
  readonly state: string;
}

const noSteps: readonly AlignedStep[] = [];

/**
 * Aligns the steps of two runs. While an open run grows and is compared again, returns the previous steps. Waits until
 * both histories have loaded, because steps that have not loaded would appear to be missing.
 */
export function useAlignedSteps(left: RunScope, right: RunScope): AlignedSteps {
  const ours = left.run.follow.history;
  const theirs = right.run.follow.history;
  const first = useMemo(() => stepsOf(ours), [ours]);
  const second = useMemo(() => stepsOf(theirs), [theirs]);
  const subjects = useMemo(() => [subjectsOf(first), subjectsOf(second)] as const, [first, second]);
  const loading = isLoading(left) || isLoading(right);
  const result = useDiff(loading ? undefined : subjects[0], subjects[1]);

  const [last, setLast] = useState<{ readonly of: object; readonly steps: readonly AlignedStep[] }>();
  const diff = result.status === 'ready' ? result.diff : undefined;
  const current =
    diff && last?.of !== diff ? { of: diff, steps: alignedSteps(diff.parts, first, second) } : last;
  if (current !== last) setLast(current);

  const incomplete = [...incompleteness(left, 'first'), ...incompleteness(right, 'second')];
  const texts = (text: string) => [text, ...incomplete].join('; ');
  if (loading) return { steps: noSteps, state: texts('Loading the histories…') };
  if (result.status === 'failed')
    return {
      steps: noSteps,
      state: texts('The runs could not be compared: the browser stopped the comparison. Reload the page'),
    };
  if (!current) return { steps: noSteps, state: texts('Comparing…') };
  const single = current.steps.filter(isSingle).length;
  const cut =
    first.length === MAX_STEPS || second.length === MAX_STEPS
      ? `; only the first ${MAX_STEPS} steps are compared`
      : '';
  return {
    steps: current.steps,
    state: texts(
      `${plural(current.steps.length - single, 'step')} in both runs${single === 0 ? '' : `, ${single} in one of them`}${cut}`,
    ),
  };
}

export const isSingle = (step: AlignedStep): boolean => !step.left || !step.right;

const isLoading = ({ run: { follow, description } }: RunScope): boolean =>
  follow.phase === 'loading' && follow.history.events.length < description.workflow.historyLength;

const incompleteness = ({ run: { follow } }: RunScope, name: string): string[] =>
  follow.failure ? [`The history of the ${name} run is incomplete: ${follow.failure.message}`] : [];
