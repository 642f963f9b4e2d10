import { useQueries } from '@tanstack/react-query';
import { ApiFailure } from '../../session/server/failure.ts';
import { useRunsApi } from '../api.ts';
import { countQuery } from '../queries.ts';
import type { Queries } from './presets.ts';

/** Returns why Temporal rejects a query; undefined if a request failed for another reason or did not fail. */
export const rejectionOf = (error: unknown): string | undefined =>
  error instanceof ApiFailure && error.code === 'invalid_query' ? error.message : undefined;

/** Returns why the sets of two queries cannot be compared. */
export function useObstacle(namespace: string, queries: Queries): string | undefined {
  const api = useRunsApi();
  const counts = useQueries({ queries: queries.map((query) => countQuery(api, namespace, query)) });
  if (counts.some(({ error }) => rejectionOf(error) !== undefined))
    return 'Temporal rejects a query. Correct the query.';
  return queries[0] === queries[1] ? 'A and B have the same query. Change one query.' : undefined;
}
