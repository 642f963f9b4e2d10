import { useMemo } from 'react';
import { lazyModule, useModule } from '../../ui/lazy-module.ts';
import type { Row } from '../events/rows.ts';
import { useRun } from '../run/run-context.tsx';

const module = lazyModule(() => import('./critical-path.ts'));

/** Returns a function that tests whether a row is on the critical path. Every row passes while the path is not shown. */
export function useOnPath(shown: boolean): (row: Row) => boolean {
  const { history } = useRun().follow;
  const loaded = useModule(module, shown);
  const ids = useMemo(
    () => (shown && loaded ? new Set(loaded.pathOf(history).steps.map(({ group }) => group)) : undefined),
    [shown, loaded, history],
  );
  return (row) => ids === undefined || ids.has(row.group.id);
}
