import { workflowStatus, type WorkflowStatus } from '@temporal-kms/codec-api';
import { comparison, type Comparison, type Condition, type ListQuery } from './visibility-query.ts';

function isStatus(condition: Condition): boolean {
  if (condition.kind !== 'comparison' || condition.attribute !== 'ExecutionStatus') return false;
  return condition.operator === '=' || condition.operator === 'IN';
}

/**
 * Returns the statuses to which a query limits the list, or an empty array if the query does not limit the
 * statuses.
 */
export function statusesOf(query: ListQuery): WorkflowStatus[] {
  if (query.kind === 'raw') return [];
  const values = query.conditions.flatMap((condition) =>
    condition.kind === 'comparison' && isStatus(condition) ? condition.values : [],
  );
  return values.flatMap(({ text }) => {
    const parsed = workflowStatus.safeParse(text);
    return parsed.success ? [parsed.data] : [];
  });
}

/** Returns the query with its statuses replaced; returns a raw query unchanged. */
export function withStatuses(query: ListQuery, statuses: readonly WorkflowStatus[]): ListQuery {
  if (query.kind === 'raw') return query;
  const filter = comparison('ExecutionStatus', statuses.length === 1 ? '=' : 'IN', statuses);
  const place = query.conditions.findIndex(isStatus);
  const others = query.conditions.filter((condition) => !isStatus(condition));
  if (statuses.length === 0) return { kind: 'conditions', conditions: others };
  // The chip keeps its position, so that other chips do not move.
  const conditions = others.toSpliced(place < 0 ? others.length : place, 0, filter);
  return { kind: 'conditions', conditions };
}

/** Returns whether a condition limits the workflow type. */
export const namesType = (query: ListQuery): boolean =>
  query.kind === 'conditions' &&
  query.conditions.some(
    (condition) => condition.kind === 'comparison' && condition.attribute === 'WorkflowType',
  );

export const withCondition = (query: ListQuery, added: Condition): ListQuery =>
  query.kind === 'raw' ? query : { kind: 'conditions', conditions: [...query.conditions, added] };

export const withoutCondition = (query: ListQuery, index: number): ListQuery =>
  query.kind === 'raw' ? query : { kind: 'conditions', conditions: query.conditions.toSpliced(index, 1) };

const isStart = (condition: Condition): condition is Comparison =>
  condition.kind === 'comparison' &&
  condition.attribute === 'StartTime' &&
  (condition.operator === '>=' || condition.operator === '>');

/** Returns the earliest start time that a query permits, if exactly one condition sets such a limit. */
export function startOf(query: ListQuery): string | undefined {
  const starts = query.kind === 'raw' ? [] : query.conditions.filter(isStart);
  return starts.length === 1 ? starts[0]?.values[0]?.text : undefined;
}

/**
 * Returns the query limited to runs that started at `time` or later, replacing any such limit. If `time` is
 * undefined, removes the limit.
 */
export function withStart(query: ListQuery, time: string | undefined): ListQuery {
  if (query.kind === 'raw') return query;
  const place = query.conditions.findIndex(isStart);
  const others: Condition[] = query.conditions.filter((condition) => !isStart(condition));
  const limits = time === undefined ? [] : [comparison('StartTime', '>=', [time])];
  return {
    kind: 'conditions',
    conditions: others.toSpliced(place < 0 ? others.length : place, 0, ...limits),
  };
}
