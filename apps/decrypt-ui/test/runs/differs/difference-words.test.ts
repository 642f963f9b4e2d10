import type { Difference, FieldMap } from '@temporal-kms/histories/why';
import { describe, expect, test } from 'vitest';
import {
  chanceText,
  effectText,
  fieldWords,
  medianTexts,
  queryFor,
} from '../../../src/runs/differs/difference-words.ts';
import { joinSameRuns } from '../../../src/runs/differs/same-runs.ts';
import { failedAndCompleted, lastDays, latestBuilds, setAndRest } from '../../../src/runs/differs/presets.ts';

const difference = (field: string, value?: string): Difference => ({
  field,
  ...(value !== undefined && { value }),
  first: 61,
  second: 4,
  effect: 0.2851,
  p: 1e-9,
});

describe('the words for a difference', () => {
  test('round a probability up, so that they never overstate the evidence', () => {
    expect(chanceText(0.0099)).toBe('1 in 100');
    expect(chanceText(0.00012)).toBe('1 in 8,000');
    expect(chanceText(1.01e-6)).toBe('1 in 900,000');
    expect(chanceText(1e-6)).toBe('less than 1 in a million');
    expect(chanceText(0)).toBe('less than 1 in a million');
  });

  test('name the direction of a difference between numbers', () => {
    expect(effectText(difference('type', 'a'), [61, 4])).toBe('29 percentage points');
    const numbers = { ...difference('duration'), medians: [10, 10], larger: 'second' } as const;
    expect(effectText(numbers, [61, 4])).toBe('B is higher in 64 % of pairs (ties count half)');
    expect(effectText(numbers, [61, 5])).toContain('(ties and absent numbers count half)');
  });

  test('say how many runs have the number if some runs lack it', () => {
    const numbers = { ...difference('input.amount'), first: 9, medians: [1004, 7] } as const;
    expect(medianTexts(numbers, [50, 4])).toEqual(['1,004 (9 of 50 runs)', '7']);
    expect(medianTexts(difference('type', 'a'), [61, 4])).toBeUndefined();
  });

  test.each([
    ['historyBytes', [3587, 3612.5], ['3,587 B', '3,612.5 B']],
    ['duration', [61_100, 61_400], ['61,100 ms', '61,400 ms']],
    ['input.rate', [0.0001, 0.0002], ['0.0001', '0.0002']],
  ] as const)('show different medians of %s with different digits: %o', (field, medians, texts) => {
    expect(medianTexts({ ...difference(field), medians }, [61, 4])).toEqual(texts);
  });

  test('round medians if both are equal', () => {
    const numbers = { ...difference('historyBytes'), medians: [3587, 3587] } as const;
    expect(medianTexts(numbers, [61, 4])).toEqual(['3.6 KB', '3.6 KB']);
  });

  test('replace the server’s field names, but leave every path unchanged', () => {
    expect(fieldWords('keyVersion')).toEqual({ text: 'Key version of the input', isPath: false });
    expect(fieldWords('attribute.Tier')).toEqual({ text: 'Tier', isPath: true });
    expect(fieldWords('constructor')).toEqual({ text: 'constructor', isPath: true });
    expect(fieldWords('input.\u200bamount').text).not.toContain('\u200b');
  });
});

describe('the list’s query for a difference', () => {
  const set = 'WorkflowType = "order"';
  const runs: FieldMap[] = [{ 'attribute.Tier': 'gold "x"', 'attribute.Age': 7, 'attribute.Ids[0]': 'a' }];

  test.each([
    ['queue', 'orders', 'TaskQueue = "orders"'],
    ['parent', 'false', 'ParentWorkflowId IS NULL'],
    ['attribute.Tier', 'gold "x"', 'Tier = "gold \\"x\\""'],
    ['attribute.Age', '7', 'Age = 7'],
    ['attribute.Ids[0]', 'a', 'Ids = "a"'],
    ['attribute.Tier', '(absent)', 'Tier IS NULL'],
  ])('limits the set to %s %s', (field, value, condition) => {
    expect(queryFor(difference(field, value), set, runs)).toBe(`${set} AND ${condition}`);
  });

  test('is missing if Temporal cannot filter by the field, or if the set’s query is not a list of conditions', () => {
    for (const field of ['input.country', 'worker', 'hour', 'attribute.Ids.length', 'memo.tier'])
      expect(queryFor(difference(field, 'x'), set, runs)).toBeUndefined();
    expect(queryFor(difference('duration'), set, runs)).toBeUndefined();
    expect(queryFor(difference('queue', 'orders'), 'a = "b', runs)).toBeUndefined();
    // The server truncates long names, and runs without a queue have no value for the query.
    expect(queryFor(difference('type', 'x'.repeat(200)), set, runs)).toBeUndefined();
    expect(queryFor(difference('queue', '(absent)'), set, runs)).toBeUndefined();
  });
});

const runOf = (...builds: string[]) => ({ searchAttributes: { BuildIds: builds } });

const fieldsOf = (build: string, hour: number): FieldMap => ({
  'attribute.BuildIds[0]': `pinned:${build}`,
  build,
  hour,
  'attribute.B': build,
  ...(build === 'b-6' && { 'memo.old': true }),
});

test('merges differences whose values occur in the same runs, and keeps the shortest name', () => {
  const all = [fieldsOf('b-7', 1), fieldsOf('b-7', 2), fieldsOf('b-6', 1), fieldsOf('b-6', 2)];
  const found = [
    difference('attribute.BuildIds[0]', 'pinned:b-7'),
    difference('hour', '1'),
    // The search attribute's name, B, is shorter than `build`, but the workflow may have set the attribute.
    difference('attribute.B', 'b-7'),
    difference('memo.old', '(absent)'),
    difference('build', 'b-7'),
    difference('duration'),
  ];
  expect(
    joinSameRuns(found, all).map(({ difference: { field }, same }) => [field, same.map((one) => one.field)]),
  ).toEqual([
    ['build', ['memo.old', 'attribute.B', 'attribute.BuildIds[0]']],
    ['hour', []],
    ['duration', []],
  ]);
});

describe('the usual comparisons', () => {
  const query =
    'WorkflowType = "order" AND ExecutionStatus = "Failed" AND StartTime >= "-7d" AND Tier = "gold"';

  test('keep every condition except those on the attribute in which the compared sets differ', () => {
    const type = 'WorkflowType = "order"';
    const rest = 'StartTime >= "-7d" AND Tier = "gold"';
    expect(failedAndCompleted(query)).toEqual([
      `${type} AND ${rest} AND ExecutionStatus = "Failed"`,
      `${type} AND ${rest} AND ExecutionStatus = "Completed"`,
    ]);
    const failed = `${type} AND ExecutionStatus = "Failed" AND Tier = "gold"`;
    expect(lastDays(query)).toEqual([
      `${failed} AND StartTime >= "-24h"`,
      `${failed} AND StartTime >= "-48h" AND StartTime < "-24h"`,
    ]);
    expect(latestBuilds(query, [runOf('unversioned:b-7'), runOf('unversioned:b-6')])?.[0]).toBe(
      `${query} AND BuildIds = "unversioned:b-7"`,
    );
  });

  test('find the two latest builds', () => {
    const runs = [
      runOf('unversioned'),
      runOf(),
      // This run is now on the latest build, but began with an older build.
      runOf('pinned:shop:b-7', 'unversioned:b-5', 'unversioned:b-7'),
      runOf('pinned:shop:b-7', 'unversioned:b-7'),
      runOf('unversioned', 'unversioned:b-6'),
    ];
    expect(latestBuilds('', runs)).toEqual(['BuildIds = "unversioned:b-7"', 'BuildIds = "unversioned:b-6"']);
    expect(latestBuilds('', runs.slice(0, 4))).toBeUndefined();
  });

  test('compare a set with the rest of its type only if one condition separates them', () => {
    expect(setAndRest('WorkflowType = "order" AND Tier IN ("a", "b")')).toEqual([
      'WorkflowType = "order" AND Tier IN ("a", "b")',
      'WorkflowType = "order" AND Tier NOT IN ("a", "b")',
    ]);
    expect(setAndRest(query)).toBeUndefined();
    expect(setAndRest('WorkflowType = "order"')).toBeUndefined();
    expect(failedAndCompleted('a = "b')).toBeUndefined();
  });
});
