import { workflowStatus, type WorkflowStatus } from '@temporal-kms/codec-api';
import { z } from 'zod';
import { quoted } from '../../api/queries.ts';

/** The search parameters of the list's address. */
export const listSearch = z.object({
  /** A visibility query, or the beginning of a workflow id or type. */
  q: z.string().max(5_000).optional().catch(undefined),
  /** Statuses separated by commas: `Failed,TimedOut`. */
  status: z.string().optional().catch(undefined),
});

/** The known statuses in a search parameter. */
export function statusesOf(status: string | undefined): WorkflowStatus[] {
  return (status ?? '').split(',').flatMap((name) => {
    const parsed = workflowStatus.safeParse(name);
    return parsed.success ? [parsed.data] : [];
  });
}

/** The visibility query for a text. A single word without an operator searches workflow ids and types by prefix. */
export function visibilityQuery(text: string): string {
  const term = text.trim();
  if (term === '' || !/^[^\s"'`=<>!()]+$/.test(term)) return term;
  return `WorkflowId STARTS_WITH ${quoted(term)} OR WorkflowType STARTS_WITH ${quoted(term)}`;
}

/** Limits a query to some statuses. */
export function withStatuses(query: string, statuses: readonly WorkflowStatus[]): string {
  if (statuses.length === 0) return query;
  const filter = `ExecutionStatus IN (${statuses.map(quoted).join(', ')})`;
  return query === '' ? filter : `(${query}) AND ${filter}`;
}
