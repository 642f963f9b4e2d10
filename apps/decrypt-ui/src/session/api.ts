import { type QueryClient, queryOptions } from '@tanstack/react-query';
import { cryptoHealth, me, namespaceList, signIn } from '@temporal-kms/codec-api';
import type { ApiClient } from './server/client.ts';
import { untilLoaded } from './server/query-client.ts';

/** Requests a description of how people sign in to the codec server. */
export const requestSignIn = (api: ApiClient) => api.get(signIn, '/sign-in');

/**
 * The query for the person and their permissions. Because the operator may change the policy, the page
 * requests the permissions again when the person returns to the page, and when the server refuses a request
 * (`refreshAccess`).
 */
export const meQuery = (api: ApiClient) =>
  queryOptions({
    queryKey: ['me'],
    queryFn: ({ signal }) => api.get(me, '/me', signal),
    refetchInterval: 5 * 60_000,
  });

/**
 * Requests the permissions again; simultaneous calls share one request. Call this function when the server refuses a
 * request.
 */
export const refreshAccess = (queries: QueryClient): void =>
  void queries.refetchQueries({ queryKey: ['me'], type: 'active' }, { cancelRefetch: false });

/**
 * Requests the server's health again. Call this function when a request shows that the health has changed.
 */
export const refreshHealth = (queries: QueryClient): void =>
  void queries.refetchQueries({ queryKey: ['health'], type: 'active' }, { cancelRefetch: false });

export const healthQuery = (api: ApiClient) =>
  queryOptions({
    queryKey: ['health'],
    queryFn: ({ signal }) => api.get(cryptoHealth, '/health', signal),
    refetchInterval: 10_000,
    retry: false,
  });

export const namespacesQuery = (api: ApiClient) =>
  queryOptions({
    queryKey: ['namespaces'],
    queryFn: ({ signal }) => api.get(namespaceList, '/namespaces', signal),
    staleTime: 60_000,
    refetchInterval: untilLoaded,
  });
