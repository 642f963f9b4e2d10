import { queryOptions } from '@tanstack/react-query';
import { keyTest, namespaceKeys } from '@temporal-kms/codec-api';
import { namespacePath } from '../session/server/addresses.ts';
import type { ApiClient } from '../session/server/client.ts';

/** The query for a namespace's keys. The server asks Cloud KMS about each key at most every 30 s. */
export const keysQuery = (api: ApiClient, namespace: string) =>
  queryOptions({
    queryKey: ['keys', namespace],
    queryFn: ({ signal }) => api.get(namespaceKeys, `${namespacePath(namespace)}/keys`, signal),
    refetchInterval: 15_000,
  });

/** Tests a namespace's keys in Cloud KMS. The audit records the test. */
export const testKeys = (api: ApiClient, namespace: string, signal: AbortSignal) =>
  api.post(keyTest, `${namespacePath(namespace)}/keys:test`, {}, signal);
