import { useMemo } from 'react';
import { lineage, messageLinks } from '../events/run-links.ts';
import { useRun } from '../run/run-context.tsx';

/** Returns the lineage of the current run: its parent, its root, and the earlier and later runs of its chain. */
export function useLineage() {
  const { address, description, follow } = useRun();
  const { groups } = follow.history;
  return useMemo(() => lineage({ address, description, groups }), [address, description, groups]);
}

/** Returns the runs with which the current run exchanges signals, cancel requests and Nexus operations. */
export function useMessageLinks() {
  const { address, description, follow } = useRun();
  const { groups } = follow.history;
  return useMemo(() => messageLinks({ address, description, groups }), [address, description, groups]);
}

/**
 * Returns how many relations the tab shows, excluding those that can be found only by searching the history for
 * links.
 */
export function useRelationCount(): number {
  const { follow } = useRun();
  const { groups } = follow.history;
  const own = useLineage().length;
  return useMemo(
    () => own + groups.filter(({ category }) => category === 'child' || category === 'external').length,
    [own, groups],
  );
}
