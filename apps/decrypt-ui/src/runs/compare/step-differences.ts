import { useMemo } from 'react';
import { failureChain } from '@temporal-kms/histories/failures';
import { plural } from '../../ui/format/number.ts';
import { failureAttributes, groupOutcome } from '../events/describe-group.ts';
import type { Group } from '../events/history.ts';
import type { RunScope } from '../run/run-context.tsx';
import { type PairCounts, usePairCounts } from './pair-state.ts';
import { type AlignedStep, payloadPairs } from './run-alignment.ts';

export interface StepOfRuns {
  readonly step: AlignedStep;
  readonly left: RunScope;
  readonly right: RunScope;
}

/** What the page says about a step of two runs. */
export interface StepDifferences {
  /** `differs: outcome, 2 payloads`, `equal`, or why that is not known. */
  readonly text: string;
  readonly different: boolean;
}

/** In which the two runs differ at a step. It decodes the payloads of the step, as far as they are open. */
export function useStepDifferences({ step, left, right }: StepOfRuns): StepDifferences {
  const pairs = useMemo(() => payloadPairs(step, left, right), [step, left, right]);
  const counts = usePairCounts(pairs);
  const failures = useMemo(() => plainFailure(step.left) !== plainFailure(step.right), [step]);
  return differences(step, counts, failures, left, right);
}

function differences(
  { left: ours, right: theirs }: AlignedStep,
  counts: PairCounts,
  failures: boolean,
  left: RunScope,
  right: RunScope,
): StepDifferences {
  if (!ours || !theirs) return { text: ours ? 'first run only' : 'second run only', different: true };
  const outcomes = [groupOutcome(ours, left.run.open), groupOutcome(theirs, right.run.open)];
  const found = [
    ...(outcomes[0] === outcomes[1] ? [] : ['outcome']),
    ...(ours.attempt === theirs.attempt ? [] : ['attempts']),
    ...(failures && outcomes[0] === outcomes[1] ? ['failure'] : []),
    ...(counts.different > 0 ? [plural(counts.different, 'payload')] : []),
    ...(counts.single > 0 ? [`${plural(counts.single, 'payload')} in one run`] : []),
  ];
  if (found.length > 0) return { text: `differs: ${found.join(', ')}`, different: true };
  if (counts.hidden > 0) return { text: 'locked', different: false };
  if (counts.waiting > 0) return { text: '…', different: false };
  if (counts.unreadable > 0) return { text: 'unreadable', different: false };
  return { text: 'equal', different: false };
}

/** What a failure contains outside of payloads: types, and messages that its worker did not encode. */
const plainFailure = (group: Group | undefined): string =>
  JSON.stringify(
    group?.events.map((event) =>
      failureChain(failureAttributes(event)).map(({ kind, details, message }) => [kind, details, message]),
    ),
  );
