import { workflowStatus, type WorkflowStatus } from '@temporal-kms/codec-api';
import { z } from 'zod';
import { quoted } from '../../api/queries.ts';

export const listSearch = z.object({
  /** A visibility query, or the start of a workflow id or type. */
  q: z.string().max(5_000).optional().catch(undefined),
  /** Statuses with commas between: `Failed,TimedOut`. */
  status: z.string().optional().catch(undefined),
});

export function statusesOf(status: string | undefined): WorkflowStatus[] {
  return (status ?? '').split(',').flatMap((name) => {
    const parsed = workflowStatus.safeParse(name);
    return parsed.success ? [parsed.data] : [];
  });
}

/** One word without an operator is no query: it is looked for where people know things by name. */
export function visibilityQuery(text: string): string {
  const term = text.trim();
  if (term === '' || !/^[^\s"'`=<>!()]+$/.test(term)) return term;
  return `WorkflowId STARTS_WITH ${quoted(term)} OR WorkflowType STARTS_WITH ${quoted(term)}`;
}

export function withStatuses(query: string, statuses: readonly WorkflowStatus[]): string {
  if (statuses.length === 0) return query;
  const filter = `ExecutionStatus IN (${statuses.map(quoted).join(', ')})`;
  return query === '' ? filter : `(${query}) AND ${filter}`;
}
