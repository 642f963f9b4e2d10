import { useMemo } from 'react';
import type { Row } from '../events/rows.ts';
import { useRunTimes } from '../run/use-run-times.ts';

/** Returns a function that tests whether a row is on the critical path. Every row passes while the path is not shown. */
export function useOnPath(shown: boolean): (row: Row) => boolean {
  const path = useRunTimes(shown)?.path;
  const ids = useMemo(() => path && new Set(path.steps.map(({ group }) => group)), [path]);
  return (row) => ids === undefined || ids.has(row.group.id);
}
