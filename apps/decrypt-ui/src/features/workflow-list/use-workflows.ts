import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import type { WorkflowSummary } from '@temporal-kms/codec-api';
import { useMemo } from 'react';
import { newestQuery, workflowsQuery } from '../../api/queries.ts';
import { useServices } from '../../state/services.tsx';

/**
 * The loaded rows in the order in which they were loaded. Rows on the page are updated in place (status, size). New runs are
 * only counted, so that no row moves until the reader asks for them with `showNew`.
 */
export function useWorkflows(namespace: string, query: string) {
  const { api } = useServices();
  const client = useQueryClient();
  const options = workflowsQuery(api, namespace, query);
  const list = useInfiniteQuery(options);
  const newest = useQuery({ ...newestQuery(api, namespace, query), enabled: list.isSuccess });

  const rows = useMemo(() => {
    const fresh = new Map((newest.data?.workflows ?? []).map((row) => [row.runId, row]));
    const seen = new Map<string, WorkflowSummary>();
    for (const row of list.data?.pages.flatMap((page) => page.workflows) ?? []) {
      // A run that starts between two requests moves the last row of a page to the next page.
      if (!seen.has(row.runId)) seen.set(row.runId, fresh.get(row.runId) ?? row);
    }
    return [...seen.values()];
  }, [list.data, newest.data]);

  const fresh = useMemo(() => {
    const known = new Set(rows.map((row) => row.runId));
    return (newest.data?.workflows ?? []).filter((row) => !known.has(row.runId)).length;
  }, [rows, newest.data]);

  function showNew() {
    const { data } = newest;
    if (data) client.setQueryData(options.queryKey, { pages: [data], pageParams: [undefined] });
  }

  return {
    rows,
    fresh,
    /** True if every row of the newest page is new, so that there may be more new runs. */
    freshAtLeast: fresh > 0 && fresh === newest.data?.workflows.length,
    showNew,
    list,
    /** The failure of the last request, for the rows or for new runs. */
    error: list.error ?? newest.error,
    loadMore: () => {
      if (list.hasNextPage && !list.isFetchingNextPage) void list.fetchNextPage();
    },
  };
}
