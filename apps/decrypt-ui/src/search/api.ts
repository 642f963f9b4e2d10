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

/** Searches in decrypted payloads. The text is in the body, so that no address and no log contains it. */
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
