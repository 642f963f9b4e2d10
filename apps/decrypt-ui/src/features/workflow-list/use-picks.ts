import type { WorkflowSummary } from '@temporal-kms/codec-api';
import { useState } from 'react';
import { announce } from '../../components/live-region.tsx';

/** Runs that a comparison shows. */
const MOST = 2;

export interface Picks {
  /** The picked runs, at most two, in the order in which they were picked. */
  readonly runs: readonly WorkflowSummary[];
  /** Picks a run, in place of the earlier of two others, or drops it if it is picked. */
  readonly toggle: (run: WorkflowSummary) => void;
  readonly clear: () => void;
}

const none: readonly WorkflowSummary[] = [];

/** The runs that the reader has picked for a comparison. They stay picked when the filter changes, but not in another namespace. */
export function usePicks(namespace: string): Picks {
  const [picked, setPicked] = useState({ namespace, runs: none });
  const runs = picked.namespace === namespace ? picked.runs : none;
  return {
    runs,
    toggle: (run) => {
      const others = runs.filter(({ runId }) => runId !== run.runId);
      const next = others.length < runs.length ? others : [...runs, run].slice(-MOST);
      setPicked({ namespace, runs: next });
      announce(
        next.includes(run)
          ? `Picked ${run.workflowId} for a comparison, ${next.length} of ${MOST}`
          : `Dropped ${run.workflowId} from the comparison`,
      );
    },
    clear: () => setPicked({ namespace, runs: none }),
  };
}
