import { useMemo } from 'react';
import { failureChain } from '@temporal-kms/histories/failures';
import { formatDurationShort } from '../../ui/format/duration.ts';
import { plural } from '../../ui/format/number.ts';
import { failureAttributes, groupOutcome } from '../events/describe-group.ts';
import type { Group } from '../events/history.ts';
import type { RunScope } from '../run/run-context.tsx';
import { causesOf, type Substitution } from './consequences.ts';
import { type PairStates, type PlacedDifference, usePairStates } from './pair-state.ts';
import { type AlignedStep, payloadPairs } from './run-alignment.ts';

export interface StepOfRuns {
  readonly step: AlignedStep;
  readonly left: RunScope;
  readonly right: RunScope;
  /** The substitutions between the runs' inputs. */
  readonly substitutions: readonly Substitution[];
}

/** How two runs differ at a step. */
export interface StepDifferences {
  /** What differs (`outcome, attempts`), `equal`, or why the difference is unknown; empty if only values differ. */
  readonly text: string;
  readonly different: boolean;
  /** The differing values, except those that follow from the input. */
  readonly values: readonly PlacedDifference[];
  /** The number of differing values that follow from each substitution. */
  readonly consequences: readonly number[];
  /** Whether some payloads have not been decoded yet. */
  readonly waiting: boolean;
  /** Whether some payloads are locked, unreadable or not read from external storage, so that the step may differ. */
  readonly unknown: boolean;
}

/** Returns how two runs differ at a step. Decodes the step's open payloads. */
export function useStepDifferences({ step, left, right, substitutions }: StepOfRuns): StepDifferences {
  const pairs = useMemo(() => payloadPairs(step, left, right), [step, left, right]);
  const states = usePairStates(pairs);
  const leftOpen = left.run.open;
  const rightOpen = right.run.open;
  return useMemo(
    () => stepDifferences({ step, states, substitutions, leftOpen, rightOpen }),
    [step, states, substitutions, leftOpen, rightOpen],
  );
}

interface Compared {
  readonly step: AlignedStep;
  readonly states: PairStates;
  readonly substitutions: readonly Substitution[];
  readonly leftOpen: boolean;
  readonly rightOpen: boolean;
}

/**
 * Minimum difference, in milliseconds and as a factor, for durations to count as different: smaller differences are
 * treated as noise.
 */
const NOTABLE_MILLIS = 1000;
const NOTABLE_FACTOR = 2;

export function stepDifferences(compared: Compared): StepDifferences {
  const { step, states, substitutions } = compared;
  const consequences = substitutions.map(() => 0);
  if (!step.left || !step.right) {
    const text = step.left ? 'first run only' : 'second run only';
    return { text, different: true, values: [], consequences, waiting: false, unknown: false };
  }
  const values = states.differences.filter((difference) => {
    const causes = causesOf(difference, substitutions);
    for (const cause of causes ?? []) consequences[cause] = (consequences[cause] ?? 0) + 1;
    return causes === undefined;
  });
  const words = [...wordsOf(compared, step.left, step.right)];
  const different = words.length > 0 || values.length > 0;
  const text = different ? words.join(', ') : stateText(states);
  const unknown = !different && states.hidden + states.stored + states.unreadable > 0;
  return { text, different, values, consequences, waiting: states.waiting > 0, unknown };
}

function* wordsOf(
  { step, states, leftOpen, rightOpen }: Compared,
  ours: Group,
  theirs: Group,
): Generator<string> {
  const outcomes = [groupOutcome(ours, leftOpen), groupOutcome(theirs, rightOpen)];
  const { moved = 0 } = step;
  if (moved !== 0) yield `moved, ${plural(Math.abs(moved), 'step')} ${moved > 0 ? 'later' : 'earlier'}`;
  if (outcomes[0] !== outcomes[1]) yield 'outcome';
  if (ours.attempt !== theirs.attempt) yield 'attempts';
  if (outcomes[0] === outcomes[1] && plainFailure(ours) !== plainFailure(theirs)) yield 'failure';
  if (states.single > 0) yield `${plural(states.single, 'payload')} in only one run`;
  const [before, after] = [durationOf(ours), durationOf(theirs)];
  if (before === undefined || after === undefined) return;
  const more = after - before;
  const isNotable = Math.max(before, after) >= NOTABLE_FACTOR * Math.max(Math.min(before, after), 1);
  if (Math.abs(more) >= NOTABLE_MILLIS && isNotable)
    yield `${formatDurationShort(Math.abs(more))} ${more > 0 ? 'longer' : 'shorter'}`;
}

function stateText({ hidden, stored, waiting, unreadable, differences }: PairStates): string {
  if (hidden > 0) return 'locked';
  if (waiting > 0) return '…';
  if (stored > 0) return 'in external storage, not read';
  if (unreadable > 0) return 'unreadable';
  return differences.length > 0 ? 'follows from the input' : 'equal';
}

/** Returns a step's duration in milliseconds, or undefined if it has not ended. */
const durationOf = (group: Group): number | undefined =>
  group.events.length > 1 && !group.open ? group.lastAt - group.events[0].at : undefined;

/**
 * Returns the parts of a failure that are not in payloads: types, and messages that the worker did not
 * encode.
 */
const plainFailure = (group: Group | undefined): string =>
  JSON.stringify(
    group?.events.map((event) =>
      failureChain(failureAttributes(event)).map(({ kind, details, message }) => [kind, details, message]),
    ),
  );
