import { type QueryClient, useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import type { WorkflowCount, WorkflowSummary } from '@temporal-kms/codec-api';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useLastFailure } from '../../ui/use-last-failure.ts';
import { useRunsApi } from '../api.ts';
import { withStatuses } from '../filter/edit-query.ts';
import { type ListQuery, printQuery } from '../filter/visibility-query.ts';
import { countQuery, newestQuery, workflowsQuery } from '../queries.ts';

/**
 * Returns the rows in the order in which they were loaded. Updates the status and size of rows in place.
 * Counts new runs instead of showing them, so that no row moves until the user requests them with `showNew`.
 */
export function useWorkflows(namespace: string, query: string) {
  const api = useRunsApi();
  const client = useQueryClient();
  const options = workflowsQuery(api, namespace, query);
  const list = useInfiniteQuery(options);
  const failure = useLastFailure(list, `${namespace} ${query}`);
  const newest = useQuery({ ...newestQuery(api, namespace, query), enabled: list.isSuccess });

  useChanged(newest.data, () => countAgain(client, namespace));

  const rows = useMemo(() => {
    const fresh = new Map((newest.data?.workflows ?? []).map((row) => [row.runId, row]));
    const seen = new Map<string, WorkflowSummary>();
    for (const row of list.data?.pages.flatMap((page) => page.workflows) ?? []) {
      // If a run starts between two requests, the last row of a page appears again on the next page.
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
    /** Whether every row of the newest page is new, in which case there may be more new runs. */
    freshAtLeast: fresh > 0 && fresh === newest.data?.workflows.length,
    showNew,
    list,
    /** The failure of the last request for rows or for new runs. */
    error: failure ?? newest.error,
    /** Loads the next page. Does nothing after a failed request, until the user retries. */
    loadMore: () => {
      if (list.hasNextPage && !list.isFetchingNextPage && !list.isFetchNextPageError)
        void list.fetchNextPage();
    },
    /** Repeats the failed request. */
    retry: () => {
      if (list.isFetchNextPageError) void list.fetchNextPage();
      else if (list.isError) void list.refetch();
      else void newest.refetch();
    },
  };
}

/**
 * Returns the number of runs per status, regardless of the query's status filter, together with the earlier
 * numbers for comparison.
 */
export function useCounts(namespace: string, query: ListQuery, resolve: (text: string) => string) {
  const api = useRunsApi();
  const text = resolve(printQuery(withStatuses(query, [])));
  const client = useQueryClient();
  const { data, isPlaceholderData, failureCount } = useQuery(countQuery(api, namespace, text));
  useChanged(isPlaceholderData ? undefined : data, () => countAgain(client, namespace));
  const key = `${namespace} ${text}`;
  const [before, setBefore] = useState<{ key: string; count: WorkflowCount }>();
  if (data && !isPlaceholderData && before?.key !== key) setBefore({ key, count: data });
  return {
    count: data,
    /** Whether the request has succeeded or failed. */
    known: data !== undefined || failureCount > 0,
    before: before?.key === key ? before.count : undefined,
    /** Uses the current counts as the reference for later changes. */
    settle: () => data && setBefore({ key, count: data }),
  };
}

/** Counts the runs of the list and of its views again, because counts are rarely refreshed otherwise. */
const countAgain = (client: QueryClient, namespace: string) =>
  client.invalidateQueries({ queryKey: ['count', namespace] });

/** Calls a function when a query's data changes. */
function useChanged(data: unknown, changed: () => unknown): void {
  const known = useRef(data);
  useEffect(() => {
    if (known.current !== undefined && data !== undefined && known.current !== data) void changed();
    known.current = data;
  });
}
