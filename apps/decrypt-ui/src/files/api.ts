import {
  type DecodeResult,
  type FileDecodeRequest,
  type FileEventsRequest,
  type FileSearchRequest,
  type SearchFrame,
  searchFrame,
} from '@temporal-kms/codec-api';
import { decodeResults } from '../payloads/api.ts';
import { namespacePath } from '../session/server/addresses.ts';
import type { ApiClient } from '../session/server/client.ts';

const filesPath = (namespace: string) => `${namespacePath(namespace)}/history-files`;

export type FilesApi = ReturnType<typeof createFilesApi>;

export const createFilesApi = (api: ApiClient) => ({
  /** Requests descriptions of a history file's events as JSON text, which the run's web worker validates. */
  inspectFile: async (namespace: string, body: FileEventsRequest, signal: AbortSignal): Promise<string> => {
    const response = await api.request(`${filesPath(namespace)}:inspect`, signal, body);
    return await response.text();
  },
  /** Decrypts payloads of a history file. */
  decodeFile: (
    namespace: string,
    body: FileDecodeRequest,
    signal: AbortSignal,
  ): AsyncGenerator<DecodeResult> => decodeResults(api, `${filesPath(namespace)}:decode`, body, signal),
  /** Searches the decrypted payloads of a history file's events. */
  searchFile: (
    namespace: string,
    body: FileSearchRequest,
    signal: AbortSignal,
  ): AsyncGenerator<SearchFrame> => api.stream(searchFrame, `${filesPath(namespace)}:search`, body, signal),
  ...(api.renewed && { renewed: api.renewed }),
});
