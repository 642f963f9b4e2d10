import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import type { WorkflowSummary } from '@temporal-kms/codec-api';
import { useMemo } from 'react';
import { newestQuery, workflowsQuery } from '../../api/queries.ts';
import { useServices } from '../../state/services.tsx';

/**
 * The rows that the reader has asked for, in the order in which they came. What is newer is counted, not inserted; what
 * has changed of a row on the page (its status, its size) is told in place.
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
      // A run that started between two pages pushes the last row of one onto the next.
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
    /** True when every row of the newest page is new: there may be more behind it. */
    freshAtLeast: fresh > 0 && fresh === newest.data?.workflows.length,
    showNew,
    list,
    /** The latest failure, of the rows or of the look ahead. */
    error: list.error ?? newest.error,
    loadMore: () => {
      if (list.hasNextPage && !list.isFetchingNextPage) void list.fetchNextPage();
    },
  };
}
