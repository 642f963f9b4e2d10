import { useMemo } from 'react';
import { lineage, messageLinks } from '../events/run-links.ts';
import { useRun } from '../run/run-context.tsx';

/** The runs that the run on the page comes from and leads to: parent, root, earlier and later runs of its chain. */
export function useLineage() {
  const { address, description, follow } = useRun();
  const { groups } = follow.history;
  return useMemo(() => lineage({ address, description, groups }), [address, description, groups]);
}

/** The runs with which the run on the page exchanges signals, cancel requests and Nexus operations. */
export function useMessageLinks() {
  const { address, description, follow } = useRun();
  const { groups } = follow.history;
  return useMemo(() => messageLinks({ address, description, groups }), [address, description, groups]);
}

/** How many relations the tab shows, as far as it is known without searching the history for links. */
export function useRelationCount(): number {
  const { follow } = useRun();
  const { groups } = follow.history;
  const own = useLineage().length;
  return useMemo(
    () => own + groups.filter(({ category }) => category === 'child' || category === 'external').length,
    [own, groups],
  );
}
