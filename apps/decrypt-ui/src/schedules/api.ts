import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import {
  type DecodeResult,
  type PayloadRef,
  scheduleDescription,
  scheduleList,
} from '@temporal-kms/codec-api';
import { decodeResults } from '../payloads/api.ts';
import { namespacePath } from '../session/server/addresses.ts';
import type { ApiClient } from '../session/server/client.ts';

const schedulesPath = (namespace: string) => `${namespacePath(namespace)}/schedules`;
const schedulePath = (namespace: string, id: string) =>
  `${schedulesPath(namespace)}/${encodeURIComponent(id)}`;

/** The query for a namespace's schedules, in pages. */
export const schedulesQuery = (api: ApiClient, namespace: string) =>
  infiniteQueryOptions({
    queryKey: ['schedules', namespace],
    queryFn: ({ signal, pageParam }) => {
      const search = pageParam === undefined ? '' : `?${new URLSearchParams({ pageToken: pageParam })}`;
      return api.get(scheduleList, `${schedulesPath(namespace)}${search}`, signal);
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.nextPageToken,
    refetchInterval: 60_000,
  });

export const scheduleQuery = (api: ApiClient, namespace: string, id: string) =>
  queryOptions({
    queryKey: ['schedule', namespace, id],
    queryFn: ({ signal }) => api.get(scheduleDescription, schedulePath(namespace, id), signal),
    refetchInterval: 15_000,
  });

/** Decrypts payloads of a schedule. */
export const decodeSchedule = (
  api: ApiClient,
  { namespace, id }: { readonly namespace: string; readonly id: string },
  refs: readonly PayloadRef[],
  signal: AbortSignal,
  justification: string | undefined,
): AsyncGenerator<DecodeResult> =>
  decodeResults(
    api,
    `${schedulePath(namespace, id)}/payloads:decode`,
    { refs: [...refs], ...(justification !== undefined && { justification }) },
    signal,
  );
