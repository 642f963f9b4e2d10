import {
  type SearchFrame,
  searchFrame,
  type SearchRequest,
  type WorkflowSearchFrame,
  workflowSearchFrame,
  type WorkflowSearchRequest,
} from '@temporal-kms/codec-api';
import { type RunAddress, runPath, workflowsPath } from '../session/server/addresses.ts';
import type { ApiClient } from '../session/server/client.ts';

export type SearchApi = ReturnType<typeof createSearchApi>;

/**
 * Creates the client for searches of decrypted payloads. The text is in the body, so that it does not appear in URLs or
 * logs.
 */
export const createSearchApi = (api: ApiClient) => ({
  /** Searches a run. */
  search: (run: RunAddress, body: SearchRequest, signal: AbortSignal): AsyncGenerator<SearchFrame> =>
    api.stream(searchFrame, `${runPath(run)}/history:search`, body, signal),
  /** Searches all runs that match a visibility query. */
  searchWorkflows: (
    namespace: string,
    body: WorkflowSearchRequest,
    signal: AbortSignal,
  ): AsyncGenerator<WorkflowSearchFrame> =>
    api.stream(workflowSearchFrame, `${workflowsPath(namespace)}:search`, body, signal),
  ...(api.renewed && { renewed: api.renewed }),
});
