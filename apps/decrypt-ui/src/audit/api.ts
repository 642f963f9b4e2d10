import { infiniteQueryOptions } from '@tanstack/react-query';
import {
  type AuditPage,
  auditPage,
  type AuditSearchRequest,
  auditVerification,
} from '@temporal-kms/codec-api';
import { namespacePath } from '../session/server/addresses.ts';
import type { ApiClient } from '../session/server/client.ts';

/**
 * The conditions that entries must meet. The page sends them in the body, so that they do not appear in URLs or
 * logs.
 */
export type AuditConditions = Omit<AuditSearchRequest, 'after' | 'limit'>;

const PAGE_SIZE = 200;

/** Requests a page of entries, newest first. The audit records that a person read the entries. */
export const searchAudit = (
  api: ApiClient,
  namespace: string,
  request: AuditSearchRequest,
  signal: AbortSignal,
): Promise<AuditPage> => api.post(auditPage, `${namespacePath(namespace)}/audit:search`, request, signal);

/**
 * The query for entries. The query is never repeated automatically, because every request adds entries to the
 * audit.
 */
export const auditQuery = (api: ApiClient, namespace: string, conditions: AuditConditions) =>
  infiniteQueryOptions({
    queryKey: ['audit', namespace, conditions],
    queryFn: ({ signal, pageParam }) =>
      searchAudit(
        api,
        namespace,
        { ...conditions, limit: PAGE_SIZE, ...(pageParam !== undefined && { after: pageParam }) },
        signal,
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
    staleTime: Infinity,
    retry: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });

/** Verifies the audit file's hash chain. */
export const verifyAudit = (api: ApiClient, namespace: string, signal: AbortSignal) =>
  api.get(auditVerification, `${namespacePath(namespace)}/audit:verify`, signal);
