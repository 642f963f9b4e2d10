import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { useRunsApi } from '../api.ts';
import { typesQuery } from '../queries.ts';
import type { KnownValues } from './suggestions.ts';

/**
 * Adds the namespace's workflow types to the known values. Requests the types from Temporal while the user
 * writes a filter. If there are more types than the server lists, requests the types that begin with the
 * text.
 */
export function useTypes(namespace: string, known: KnownValues, text: string, writing: boolean): KnownValues {
  const api = useRunsApi();
  const all = useQuery({ ...typesQuery(api, namespace, ''), enabled: writing });
  const prefix = text.trim();
  const some = useQuery({
    ...typesQuery(api, namespace, prefix),
    enabled: writing && all.data?.complete === false && prefix.length > 1 && prefix.length <= 200,
    placeholderData: keepPreviousData,
  });
  return useMemo(() => {
    const loaded = known.values.get('WorkflowType') ?? [];
    const types = new Set([...loaded, ...(all.data?.types ?? []), ...(some.data?.types ?? [])]);
    return { ...known, values: new Map(known.values).set('WorkflowType', [...types].toSorted()) };
  }, [known, all.data, some.data]);
}
