import {
  type ExportRequest,
  type ProgressRequest,
  runsProgress,
  runTaskQueues,
  workflowCount,
  workflowDescription,
  workflowList,
  workflowTypes,
} from '@temporal-kms/codec-api';
import { useMemo } from 'react';
import { z } from 'zod/mini';
import { createPayloadsApi, type PayloadsApi } from '../payloads/api.ts';
import { createSearchApi, type SearchApi } from '../search/api.ts';
import { type RunAddress, runPath, workflowsPath } from '../session/server/addresses.ts';
import { type ApiClient, validate } from '../session/server/client.ts';
import { connectionBroke, isAbort, unexpectedAnswer } from '../session/server/failure.ts';
import { useServices } from '../session/services.tsx';

export type RunsApi = ReturnType<typeof createRunsApi>;

export const createRunsApi = (api: ApiClient) => ({
  workflows: (
    namespace: string,
    { query, pageSize, pageToken }: { query: string; pageSize: number; pageToken?: string | undefined },
    signal?: AbortSignal,
  ) => {
    const search = new URLSearchParams({ query, pageSize: String(pageSize) });
    if (pageToken !== undefined) search.set('pageToken', pageToken);
    return api.get(workflowList, `${workflowsPath(namespace)}?${search}`, signal);
  },
  count: (namespace: string, query: string, signal?: AbortSignal) =>
    api.get(workflowCount, `${workflowsPath(namespace)}:count?${new URLSearchParams({ query })}`, signal),
  /** Requests the namespace's workflow types that begin with a prefix. */
  types: (namespace: string, prefix: string, signal?: AbortSignal) =>
    api.get(workflowTypes, `${workflowsPath(namespace)}:types?${new URLSearchParams({ prefix })}`, signal),
  /** Requests what open runs are waiting for. */
  progress: (namespace: string, body: ProgressRequest, signal: AbortSignal) =>
    api.post(runsProgress, `${workflowsPath(namespace)}:progress`, body, signal),
  describe: (namespace: string, workflowId: string, runId: string | undefined, signal?: AbortSignal) => {
    const search = runId === undefined ? '' : `?${new URLSearchParams({ runId })}`;
    const path = `${workflowsPath(namespace)}/${encodeURIComponent(workflowId)}${search}`;
    return api.get(workflowDescription, path, signal);
  },
  /** Requests a history as NDJSON frames, which the run's web worker parses and validates. */
  history: (
    run: RunAddress,
    { after, live, limit }: { after: number; live: boolean; limit?: number },
    signal: AbortSignal,
  ) => {
    const search = new URLSearchParams({ after: String(after), live: String(live) });
    if (limit !== undefined) search.set('limit', String(limit));
    return api.bytes(`${runPath(run)}/history?${search}`, signal);
  },
  /** Requests the workers that poll the task queues on which an open run depends. */
  taskQueues: (run: RunAddress, signal?: AbortSignal) =>
    api.get(runTaskQueues, `${runPath(run)}/task-queues`, signal),
  /**
   * Requests an event as Temporal stores it, with payloads in base64. The event contains plaintext if
   * Temporal stores plaintext.
   */
  storedEvent: async (run: RunAddress, eventId: number, signal: AbortSignal) => {
    const body = { form: 'encoded', events: { first: eventId, last: eventId } };
    const response = await api.request(`${runPath(run)}/history:export`, signal, body);
    const document: unknown = await response.json().catch((error: unknown) => {
      throw isAbort(error) ? error : connectionBroke(error);
    });
    const [event] = validate(storedEvents, document).events;
    if (event === undefined) throw unexpectedAnswer();
    return event;
  },
  /** Requests an export's file as a stream. The stream may end early: see `createExport`. */
  export: (run: RunAddress, body: ExportRequest, signal: AbortSignal) =>
    api.bytes(`${runPath(run)}/history:export`, signal, body),
});

/** A history in Temporal's JSON format. */
const storedEvents = z.object({ events: z.array(z.record(z.string(), z.unknown())) });

/** Returns the API routes for runs. The object changes only when the client changes. */
export function useRunsApi(): RunsApi {
  const { api } = useServices();
  return useMemo(() => createRunsApi(api), [api]);
}

/** The routes for loading, decrypting and searching one run. */
export type RunApi = Pick<RunsApi, 'describe' | 'history'> &
  PayloadsApi &
  Pick<SearchApi, 'search' | 'renewed'>;

export const createRunApi = (api: ApiClient): RunApi => ({
  ...createRunsApi(api),
  ...createPayloadsApi(api),
  ...createSearchApi(api),
});
