import { useQueries } from '@tanstack/react-query';
import type { WorkflowSummary } from '@temporal-kms/codec-api';
import { useMemo } from 'react';
import { useRunsApi } from '../../api.ts';
import { childrenQuery } from '../../queries.ts';

/** A row of the list: a run, a child below its parent, or a note below a parent. */
export interface ListRow {
  readonly key: string;
  /** The row's depth: 1 for the runs of the list, 2 for their children, and so on. */
  readonly level: number;
  /** The parent row's `key`. Absent for rows at level 1. */
  readonly parentKey?: string;
  readonly run?: WorkflowSummary;
  readonly expanded: boolean;
  /** A note instead of a run. Says why there are no children, or no more children. */
  readonly note?: string;
}

/** Maximum number of children listed below a parent. */
const MOST_CHILDREN = 100;

interface Children {
  readonly runs: readonly WorkflowSummary[];
  readonly note?: string | undefined;
}

/**
 * Returns the rows, with the children of expanded rows below them.
 * @param expanded the runs of the expanded rows, by row key
 */
export function useListRows(
  namespace: string,
  runs: readonly WorkflowSummary[],
  expanded: ReadonlyMap<string, WorkflowSummary>,
): readonly ListRow[] {
  const api = useRunsApi();
  const parents = useMemo(() => [...expanded], [expanded]);
  const children = useQueries({
    queries: parents.map(([, { workflowId, runId }]) =>
      childrenQuery(api, namespace, { workflowId, runId }, MOST_CHILDREN),
    ),
    combine: (results) =>
      results.map(({ data, error }): Children => {
        if (error) return { runs: [], note: `The children could not be loaded: ${error.message}` };
        if (!data) return { runs: [], note: 'Loading children…' };
        if (data.workflows.length === 0) return { runs: [], note: 'This run has started no child workflows' };
        const note =
          data.nextPageToken === undefined ? undefined : `Only ${MOST_CHILDREN} children are listed`;
        return { runs: data.workflows, note };
      }),
  });
  return useMemo(() => {
    const byKey = new Map(parents.map(([key], index) => [key, children[index]]));
    const rows: ListRow[] = [];
    const add = (run: WorkflowSummary, level: number, parentKey?: string) => {
      const key = parentKey === undefined ? run.runId : `${parentKey}/${run.runId}`;
      const own = expanded.has(key) ? byKey.get(key) : undefined;
      rows.push({
        key,
        level,
        run,
        expanded: own !== undefined,
        ...(parentKey !== undefined && { parentKey }),
      });
      for (const child of own?.runs ?? []) add(child, level + 1, key);
      if (own?.note === undefined) return;
      rows.push({ key: `${key}/`, level: level + 1, parentKey: key, expanded: false, note: own.note });
    };
    for (const run of runs) add(run, 1);
    return rows;
  }, [runs, parents, children, expanded]);
}

const MOST_LISTS = 20;

/** The rows that were expanded when the user left the list, by namespace and query. */
const left = new Map<string, ReadonlyMap<string, WorkflowSummary>>();

export const expandedIn = (list: string): ReadonlyMap<string, WorkflowSummary> => left.get(list) ?? new Map();

export function keepExpanded(list: string, expanded: ReadonlyMap<string, WorkflowSummary>): void {
  left.delete(list);
  left.set(list, expanded);
  const [oldest] = left.keys();
  if (left.size > MOST_LISTS && oldest !== undefined) left.delete(oldest);
}
