import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useRevealed } from '../../payloads/reveal/reveals-context.tsx';
import type { RunScope } from '../run/run-context.tsx';
import type { Substitution } from './consequences.ts';
import type { AlignedStep } from './run-alignment.ts';
import { useStepDifferences } from './step-differences.ts';

/** What the page remembers about a step that is out of view. Contains no payload content. */
export interface Verdict {
  readonly different: boolean;
  readonly unknown: boolean;
  readonly consequences: readonly number[];
}

/** Returns a key that identifies a step until the step gets more events. */
export const stepKey = ({ left, right }: AlignedStep): string =>
  [left, right].map((group) => (group ? `${group.id}+${group.events.length}` : '')).join(' ');

/** Number of steps whose payloads are decoded at the same time. */
const CHUNK = 40;

interface StepScan {
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** The steps to compare next; empty if all have been compared. */
  readonly chunk: readonly AlignedStep[];
  readonly add: (found: ReadonlyMap<string, Verdict>) => void;
}

const noVerdicts: ReadonlyMap<string, Verdict> = new Map();

/**
 * Compares the steps from first to last, and remembers which differ. Compares all steps again when a reveal begins or
 * ends, or the substitutions change.
 */
export function useStepScan(steps: readonly AlignedStep[], substitutions: readonly Substitution[]): StepScan {
  const grants = useRevealed((state) => state);
  const [state, setState] = useState({ grants, substitutions, verdicts: noVerdicts });
  const isCurrent = state.grants === grants && state.substitutions === substitutions;
  const verdicts = isCurrent ? state.verdicts : noVerdicts;
  const add = useCallback(
    (found: ReadonlyMap<string, Verdict>) =>
      setState((known) => {
        const same = known.grants === grants && known.substitutions === substitutions;
        return { grants, substitutions, verdicts: new Map([...(same ? known.verdicts : []), ...found]) };
      }),
    [grants, substitutions],
  );
  const chunk = useMemo(
    () => steps.filter((step) => !verdicts.has(stepKey(step))).slice(0, CHUNK),
    [steps, verdicts],
  );
  return { verdicts, chunk, add };
}

interface ScanChunkProps {
  readonly steps: readonly AlignedStep[];
  readonly left: RunScope;
  readonly right: RunScope;
  readonly substitutionsOf: (step: AlignedStep) => readonly Substitution[];
  readonly onDone: (found: ReadonlyMap<string, Verdict>) => void;
}

/**
 * Compares steps without showing them. The steps' payloads count as in view until all of the steps have been
 * compared.
 */
export function ScanChunk({ steps, substitutionsOf, onDone, ...scopes }: ScanChunkProps) {
  const count = steps.length;
  const found = useRef({ for: onDone, verdicts: new Map<string, Verdict>() });
  const onKnown = useCallback(
    (key: string, verdict: Verdict) => {
      // Drops earlier verdicts after a reveal has begun or ended.
      if (found.current.for !== onDone) found.current = { for: onDone, verdicts: new Map() };
      const { verdicts } = found.current;
      verdicts.set(key, verdict);
      if (verdicts.size === count) onDone(new Map(verdicts));
    },
    [count, onDone],
  );
  return steps.map((step) => (
    <ScanStep
      key={stepKey(step)}
      step={step}
      substitutions={substitutionsOf(step)}
      onKnown={onKnown}
      {...scopes}
    />
  ));
}

interface ScanStepProps extends Pick<ScanChunkProps, 'left' | 'right'> {
  readonly step: AlignedStep;
  readonly substitutions: readonly Substitution[];
  readonly onKnown: (key: string, verdict: Verdict) => void;
}

/** Compares a step without showing it. */
export function ScanStep({ step, onKnown, ...rest }: ScanStepProps) {
  const { waiting, different, unknown, consequences } = useStepDifferences({ step, ...rest });
  useEffect(() => {
    if (!waiting) onKnown(stepKey(step), { different, unknown, consequences });
  }, [waiting, different, unknown, consequences, step, onKnown]);
  return null;
}
