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
  /** The workflow types of the namespace that begin with a prefix. */
  types: (namespace: string, prefix: string, signal?: AbortSignal) =>
    api.get(workflowTypes, `${workflowsPath(namespace)}:types?${new URLSearchParams({ prefix })}`, signal),
  /** What open runs wait for. */
  progress: (namespace: string, body: ProgressRequest, signal: AbortSignal) =>
    api.post(runsProgress, `${workflowsPath(namespace)}:progress`, body, signal),
  describe: (namespace: string, workflowId: string, runId: string | undefined, signal?: AbortSignal) => {
    const search = runId === undefined ? '' : `?${new URLSearchParams({ runId })}`;
    const path = `${workflowsPath(namespace)}/${encodeURIComponent(workflowId)}${search}`;
    return api.get(workflowDescription, path, signal);
  },
  /** The frames of a history as lines of JSON, which the worker of the run parses and validates. */
  history: (
    run: RunAddress,
    { after, live, limit }: { after: number; live: boolean; limit?: number },
    signal: AbortSignal,
  ) => {
    const search = new URLSearchParams({ after: String(after), live: String(live) });
    if (limit !== undefined) search.set('limit', String(limit));
    return api.bytes(`${runPath(run)}/history?${search}`, signal);
  },
  /** The workers that poll the task queues on which an open run depends. */
  taskQueues: (run: RunAddress, signal?: AbortSignal) =>
    api.get(runTaskQueues, `${runPath(run)}/task-queues`, signal),
  /** An event as Temporal stores it, its payloads in base64. It may contain plaintext, where Temporal does. */
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
  /** The file of an export, as it arrives. It may end early: see `createExport`. */
  export: (run: RunAddress, body: ExportRequest, signal: AbortSignal) =>
    api.bytes(`${runPath(run)}/history:export`, signal, body),
});

/** A history in Temporal's JSON. */
const storedEvents = z.object({ events: z.array(z.record(z.string(), z.unknown())) });

/** The routes of runs. The object stays the same as long as the client does. */
export function useRunsApi(): RunsApi {
  const { api } = useServices();
  return useMemo(() => createRunsApi(api), [api]);
}

/** The routes with which the page loads, decrypts and searches one run. */
export type RunApi = Pick<RunsApi, 'describe' | 'history'> &
  PayloadsApi &
  Pick<SearchApi, 'search' | 'renewed'>;

export const createRunApi = (api: ApiClient): RunApi => ({
  ...createRunsApi(api),
  ...createPayloadsApi(api),
  ...createSearchApi(api),
});
