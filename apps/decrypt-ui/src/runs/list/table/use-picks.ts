import type { WorkflowSummary } from '@temporal-kms/codec-api';
import { useCallback, useState } from 'react';
import { announce } from '../../../ui/live-region.tsx';

/** Number of runs in a comparison. */
const MOST = 2;

export interface Picks {
  /** The picked runs, at most two, in the order picked. */
  readonly runs: readonly WorkflowSummary[];
  /** Whether every row has a checkbox, and a click on a row picks the run instead of opening it. */
  readonly picking: boolean;
  readonly setPicking: (picking: boolean) => void;
  /** Picks a run, or deselects it if it is already picked. A third run replaces the run picked first. */
  readonly toggle: (run: WorkflowSummary) => void;
  /** Deselects all runs and leaves picking mode. */
  readonly clear: () => void;
}

const none: readonly WorkflowSummary[] = [];

/**
 * Returns the runs that the user has picked for comparison. The runs stay picked when the filter changes,
 * but not when the namespace changes.
 */
export function usePicks(namespace: string): Picks {
  const [picked, setPicked] = useState({ namespace, runs: none, picking: false });
  const { runs, picking } = picked.namespace === namespace ? picked : { runs: none, picking: false };
  const toggle = useCallback(
    (run: WorkflowSummary) => {
      const others = runs.filter(({ runId }) => runId !== run.runId);
      const next = others.length < runs.length ? others : [...runs, run].slice(-MOST);
      setPicked({ namespace, runs: next, picking });
      announce(
        next.includes(run)
          ? `Picked ${run.workflowId} for a comparison, ${next.length} of ${MOST}`
          : `Dropped ${run.workflowId} from the comparison`,
      );
    },
    [namespace, runs, picking],
  );
  return {
    runs,
    picking,
    setPicking: (next) => setPicked({ namespace, runs, picking: next }),
    toggle,
    clear: () => setPicked({ namespace, runs: none, picking: false }),
  };
}
