import { quoted } from '@temporal-kms/codec-api';
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import type { RunAddress } from '../session/server/addresses.ts';
import { untilLoaded } from '../session/server/query-client.ts';
import type { RunsApi } from './api.ts';
import { isOpen } from './outcome.ts';

const PAGE_SIZE = 100;

/**
 * Milliseconds between two requests of the same kind by an idle list, which sends three kinds of requests.
 */
export const AT_REST = 60_000;

/**
 * Returns the milliseconds until the next request. A failed request is repeated sooner, so that the list
 * recovers shortly after the server does.
 */
const restOrRetry = ({ state }: { readonly state: { readonly status: string } }): number =>
  state.status === 'error' ? 5000 : AT_REST;

export const workflowsQuery = (api: RunsApi, namespace: string, query: string) =>
  infiniteQueryOptions({
    queryKey: ['workflows', namespace, query],
    queryFn: ({ signal, pageParam }) =>
      api.workflows(namespace, { query, pageSize: PAGE_SIZE, pageToken: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.nextPageToken,
    // Rows must not move while the user reads them. `newestQuery` counts new runs, which the list loads on request.
    staleTime: Infinity,
    // When the user goes back from a run, the list is as the user left it.
    gcTime: 30 * 60_000,
    refetchInterval: untilLoaded,
    refetchOnWindowFocus: false,
  });

/** The query that requests the first page again, to count new runs and update visible rows. */
export const newestQuery = (api: RunsApi, namespace: string, query: string) =>
  queryOptions({
    queryKey: ['newest', namespace, query],
    queryFn: ({ signal }) => api.workflows(namespace, { query, pageSize: PAGE_SIZE }, signal),
    refetchInterval: restOrRetry,
    gcTime: 0,
  });

const RUN_ID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const MAX_JUMPS = 8;

/**
 * The query for the run with this run id or, for any other text, for the runs whose workflow id or type
 * begins with the text.
 */
export const jumpQuery = (api: RunsApi, namespace: string, text: string) =>
  queryOptions({
    queryKey: ['jump', namespace, text],
    queryFn: ({ signal }) => {
      const query = RUN_ID.test(text)
        ? `RunId = ${quoted(text)}`
        : `WorkflowId STARTS_WITH ${quoted(text)} OR WorkflowType STARTS_WITH ${quoted(text)}`;
      return api.workflows(namespace, { query, pageSize: MAX_JUMPS }, signal);
    },
    retry: false,
    gcTime: 30_000,
  });

export const countQuery = (api: RunsApi, namespace: string, query: string) =>
  queryOptions({
    queryKey: ['count', namespace, query],
    queryFn: ({ signal }) => api.count(namespace, query, signal),
    refetchInterval: restOrRetry,
    placeholderData: keepPreviousData,
  });

/** The query for a namespace's workflow types that begin with a prefix. */
export const typesQuery = (api: RunsApi, namespace: string, prefix: string) =>
  queryOptions({
    queryKey: ['types', namespace, prefix],
    queryFn: ({ signal }) => api.types(namespace, prefix, signal),
    staleTime: 5 * 60_000,
    refetchOnWindowFocus: false,
    // Older servers lack this route, and the filter works without it.
    retry: false,
  });

export const descriptionQuery = (
  api: Pick<RunsApi, 'describe'>,
  namespace: string,
  workflowId: string,
  runId: string | undefined,
) =>
  queryOptions({
    queryKey: ['description', namespace, workflowId, runId ?? 'latest'],
    queryFn: ({ signal }) => api.describe(namespace, workflowId, runId, signal),
    staleTime: 1000,
  });

/**
 * The query for the workers that poll the task queues on which an open run depends. The server asks Temporal at most
 * every 10 s.
 */
export const taskQueuesQuery = (api: Pick<RunsApi, 'taskQueues'>, run: RunAddress) =>
  queryOptions({
    queryKey: ['task-queues', run.namespace, run.workflowId, run.runId],
    queryFn: ({ signal }) => api.taskQueues(run, signal),
    staleTime: 10_000,
    refetchInterval: 15_000,
    // Older servers lack this route, and the page works without it.
    retry: false,
  });

/** The query for the latest 50 runs with a workflow id, in Temporal's order. */
export const runsQuery = (api: RunsApi, namespace: string, workflowId: string) =>
  queryOptions({
    queryKey: ['runs', namespace, workflowId],
    queryFn: ({ signal }) =>
      api.workflows(namespace, { query: `WorkflowId = ${quoted(workflowId)}`, pageSize: 50 }, signal),
    staleTime: 10_000,
  });

/** The query for the latest 20 runs of a workflow type, with any workflow id. */
export const runsOfTypeQuery = (api: RunsApi, namespace: string, type: string) =>
  queryOptions({
    queryKey: ['runs-of-type', namespace, type],
    queryFn: ({ signal }) =>
      api.workflows(namespace, { query: `WorkflowType = ${quoted(type)}`, pageSize: 20 }, signal),
    staleTime: 10_000,
  });

/** The query for a root run and all its descendants, in pages. */
export const familyQuery = (api: RunsApi, namespace: string, rootRunId: string) =>
  infiniteQueryOptions({
    queryKey: ['family', namespace, rootRunId],
    queryFn: ({ signal, pageParam }) =>
      api.workflows(
        namespace,
        { query: `RootRunId = ${quoted(rootRunId)}`, pageSize: PAGE_SIZE, pageToken: pageParam },
        signal,
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.nextPageToken,
    refetchInterval: ({ state }) =>
      state.data?.pages.some(({ workflows }) => workflows.some(({ status }) => isOpen(status)))
        ? 5000
        : false,
    gcTime: 60_000,
  });

/** The query for the child workflows that a run has started, running or closed. */
export const childrenQuery = (
  api: RunsApi,
  namespace: string,
  { workflowId, runId }: { readonly workflowId: string; readonly runId: string },
  most: number,
) =>
  queryOptions({
    queryKey: ['children', namespace, runId],
    queryFn: ({ signal }) => {
      const query = `ParentWorkflowId = ${quoted(workflowId)} AND ParentRunId = ${quoted(runId)}`;
      return api.workflows(namespace, { query, pageSize: most }, signal);
    },
    refetchInterval: ({ state }) =>
      state.data?.workflows.some(({ status }) => isOpen(status)) ? AT_REST : false,
  });
