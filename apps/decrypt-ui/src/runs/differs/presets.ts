import { buildIdsOf } from '@temporal-kms/codec-api';
import { withCondition, withStart, withStatuses } from '../filter/edit-query.ts';
import {
  comparison,
  type Comparison,
  type Condition,
  type ListQuery,
  parseQuery,
  printQuery,
} from '../filter/visibility-query.ts';

/** The queries of two sets. */
export type Queries = readonly [a: string, b: string];

/**
 * Returns the conditions of a query, except those on the attribute that separates the sets. Returns undefined
 * if the query is not a list of conditions.
 */
function commonOf(text: string, separating: string): ListQuery | undefined {
  const query = parseQuery(text);
  if (query.kind === 'raw') return undefined;
  const isCommon = (each: Condition) => each.kind !== 'comparison' || each.attribute !== separating;
  return { kind: 'conditions', conditions: query.conditions.filter(isCommon) };
}

/** Returns a query limited to failed runs, and the same query limited to completed runs. */
export function failedAndCompleted(text: string): Queries | undefined {
  const common = commonOf(text, 'ExecutionStatus');
  return (
    common && [printQuery(withStatuses(common, ['Failed'])), printQuery(withStatuses(common, ['Completed']))]
  );
}

/** Returns the queries for the runs of the last day and for those of the day before. */
export function lastDays(text: string): Queries | undefined {
  const common = commonOf(text, 'StartTime');
  if (!common) return undefined;
  const before = withCondition(withStart(common, '-48h'), comparison('StartTime', '<', ['-24h']));
  return [printQuery(withStart(common, '-24h')), printQuery(before)];
}

/**
 * Returns two queries, one for the runs of each of the two latest builds. A run has several labels for one
 * build, such as `pinned:orders:1.4.2` and `unversioned:1.4.2`, so the two builds are taken from different
 * runs.
 *
 * @param runs the latest runs of the query, newest first
 */
export function latestBuilds(
  text: string,
  runs: readonly { readonly searchAttributes: Readonly<Record<string, unknown>> }[],
): Queries | undefined {
  const common = commonOf(text, 'BuildIds');
  const builds = runs
    .map(({ searchAttributes }) => buildIdsOf(searchAttributes))
    .filter((ids) => ids.length > 0);
  const a = builds[0]?.at(-1);
  const b = builds.find((ids) => !ids.some((id) => id === a))?.at(-1);
  if (!common || a === undefined || b === undefined) return undefined;
  const of = (build: string) => printQuery(withCondition(common, comparison('BuildIds', '=', [build])));
  return [of(a), of(b)];
}

/** Returns the query without its conditions on builds, to find the builds of all its runs. */
export const withoutBuilds = (text: string): string => {
  const common = commonOf(text, 'BuildIds');
  return common ? printQuery(common) : text;
};

const opposites = [
  ['=', '!='],
  ['IN', 'NOT IN'],
  ['STARTS_WITH', 'NOT STARTS_WITH'],
  ['IS NULL', 'IS NOT NULL'],
  ['>=', '<'],
  ['>', '<='],
] as const;

const negated = (condition: Comparison): Comparison | undefined => {
  const pair = opposites.find((each) => each.some((operator) => operator === condition.operator));
  return pair && { ...condition, operator: pair[0] === condition.operator ? pair[1] : pair[0] };
};

const isOfType = (each: Condition) => each.kind === 'comparison' && each.attribute === 'WorkflowType';

/**
 * Returns a query, and the query for the other runs of its workflow types; undefined unless exactly one
 * condition separates the two queries.
 */
export function setAndRest(text: string): Queries | undefined {
  const query = parseQuery(text);
  if (query.kind === 'raw') return undefined;
  const [condition, ...more] = query.conditions.filter((each) => !isOfType(each));
  const other = condition?.kind === 'comparison' ? negated(condition) : undefined;
  if (!other || more.length > 0) return undefined;
  const rest = query.conditions.map((each) => (each === condition ? other : each));
  return [text, printQuery({ kind: 'conditions', conditions: rest })];
}
