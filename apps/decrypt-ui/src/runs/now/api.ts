import { queryOptions } from '@tanstack/react-query';
import { queryFrame, type QueryFrame, type QueryRequest, runTaskQueues } from '@temporal-kms/codec-api';
import { type RunAddress, runPath } from '../../session/server/addresses.ts';
import type { ApiClient } from '../../session/server/client.ts';

/** Sends a query to a run's worker. */
export const queryWorker = (
  api: ApiClient,
  run: RunAddress,
  body: QueryRequest,
  signal: AbortSignal,
): AsyncGenerator<QueryFrame> => api.stream(queryFrame, `${runPath(run)}/query`, body, signal);

/** The query for the workers that poll the task queues of an open run. The server asks Temporal at most every 10 s. */
export const workersQuery = (api: ApiClient, run: RunAddress) =>
  queryOptions({
    queryKey: ['workers', run.namespace, run.workflowId, run.runId],
    queryFn: ({ signal }) => api.get(runTaskQueues, `${runPath(run)}/task-queues?workers=true`, signal),
    staleTime: 10_000,
    refetchInterval: 15_000,
    retry: false,
  });
