import { infiniteQueryOptions } from '@tanstack/react-query';
import {
  type AuditPage,
  auditPage,
  type AuditSearchRequest,
  auditVerification,
} from '@temporal-kms/codec-api';
import { namespacePath } from '../session/server/addresses.ts';
import type { ApiClient } from '../session/server/client.ts';

/** Which entries to find. The server gets the conditions in the body, so that no address and no log contains them. */
export type AuditConditions = Omit<AuditSearchRequest, 'after' | 'limit'>;

const PAGE_SIZE = 200;

/** A page of entries, newest first. The server records in the audit that a person read it. */
export const searchAudit = (
  api: ApiClient,
  namespace: string,
  request: AuditSearchRequest,
  signal: AbortSignal,
): Promise<AuditPage> => api.post(auditPage, `${namespacePath(namespace)}/audit:search`, request, signal);

/** Every request adds entries to the audit, so none is made without the reader. */
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

/** Verifies the hash chain of the file. */
export const verifyAudit = (api: ApiClient, namespace: string, signal: AbortSignal) =>
  api.get(auditVerification, `${namespacePath(namespace)}/audit:verify`, signal);
