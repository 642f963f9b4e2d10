import { ABSENT, type Difference, type FieldMap } from '@temporal-kms/histories/why';
import { fieldTime } from './difference-words.ts';

/**
 * A difference, and other differences whose values occur in exactly the same runs. The page shows these
 * differences as one difference with several names.
 */
export interface DifferenceGroup {
  readonly difference: Difference;
  readonly same: readonly Difference[];
}

/**
 * Joins differences whose values occur in the same runs, such as a build and the search attributes that
 * repeat it. The shortest name comes first; fields that were known when the run started take precedence. The
 * groups stay in the order of `differences`.
 */
export function joinSameRuns(
  differences: readonly Difference[],
  runs: readonly FieldMap[],
): readonly DifferenceGroup[] {
  const groups = Map.groupBy(differences, ({ field, value }) =>
    value === undefined ? field : runs.map((run) => (hasValue(run, field, value) ? '1' : '0')).join(''),
  );
  return [...groups.values()].flatMap((group) => {
    const [difference, ...same] = group.toSorted(
      (a, b) => lateness(a) - lateness(b) || a.field.length - b.field.length,
    );
    return difference ? [{ difference, same }] : [];
  });
}

const lateness = ({ field }: Difference): number => (fieldTime(field) === 'start' ? 0 : 1);

const hasValue = (run: FieldMap, field: string, value: string): boolean => {
  const own = Object.hasOwn(run, field) ? run[field] : undefined;
  return (own === undefined ? ABSENT : String(own)) === value;
};
