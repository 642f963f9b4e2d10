import type { Difference, FieldMap } from '@temporal-kms/histories/why';
import { describe, expect, test } from 'vitest';
import { chanceText, effectText, fieldWords, queryFor } from '../../../src/runs/differs/difference-words.ts';
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
  test('round a probability to the side of chance', () => {
    expect(chanceText(0.0099)).toBe('by chance in 1 of 100 cases');
    expect(chanceText(0.00012)).toBe('by chance in 1 of 8,000 cases');
    expect(chanceText(1.01e-6)).toBe('by chance in 1 of 900,000 cases');
    expect(chanceText(1e-6)).toBe('by chance in fewer than 1 of a million cases');
    expect(chanceText(0)).toBe('by chance in fewer than 1 of a million cases');
  });

  test('name the direction of a difference between numbers', () => {
    expect(effectText(difference('type', 'a'))).toBe('29 points');
    expect(effectText({ ...difference('duration'), medians: [10, 400] })).toBe(
      'B is higher in 64 % of pairs',
    );
  });

  test('name the server’s fields, and leave paths as they are, whatever their name', () => {
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

  test('does not exist where Temporal cannot filter by the field, or the set is no list of conditions', () => {
    for (const field of ['input.country', 'worker', 'hour', 'attribute.Ids.length', 'memo.tier'])
      expect(queryFor(difference(field, 'x'), set, runs)).toBeUndefined();
    expect(queryFor(difference('duration'), set, runs)).toBeUndefined();
    expect(queryFor(difference('queue', 'orders'), 'a = "b', runs)).toBeUndefined();
  });
});

const runOf = (...builds: string[]) => ({ searchAttributes: { BuildIds: builds } });

const fieldsOf = (build: string, hour: number): FieldMap => ({
  'attribute.BuildIds[0]': `pinned:${build}`,
  build,
  hour,
  ...(build === 'b-6' && { 'memo.old': true }),
});

test('differences of the same runs are one, which the shortest name leads', () => {
  const all = [fieldsOf('b-7', 1), fieldsOf('b-7', 2), fieldsOf('b-6', 1), fieldsOf('b-6', 2)];
  const found = [
    difference('attribute.BuildIds[0]', 'pinned:b-7'),
    difference('hour', '1'),
    difference('memo.old', '(absent)'),
    difference('build', 'b-7'),
    difference('duration'),
  ];
  expect(
    joinSameRuns(found, all).map(({ difference: { field }, same }) => [field, same.map((one) => one.field)]),
  ).toEqual([
    ['build', ['memo.old', 'attribute.BuildIds[0]']],
    ['hour', []],
    ['duration', []],
  ]);
});

describe('the usual comparisons', () => {
  const query =
    'WorkflowType = "order" AND ExecutionStatus = "Failed" AND StartTime >= "-7d" AND Tier = "gold"';

  test('keep what both sets have in common', () => {
    const common = 'WorkflowType = "order" AND Tier = "gold"';
    expect(failedAndCompleted(query)).toEqual([
      `${common} AND ExecutionStatus = "Failed"`,
      `${common} AND ExecutionStatus = "Completed"`,
    ]);
    expect(lastDays(query)).toEqual([
      `${common} AND StartTime >= "-24h"`,
      `${common} AND StartTime >= "-48h" AND StartTime < "-24h"`,
    ]);
  });

  test('find the two latest builds', () => {
    const runs = [runOf('unversioned', 'unversioned:b-7'), runOf(), runOf('unversioned', 'unversioned:b-6')];
    expect(latestBuilds('', runs)).toEqual(['BuildIds = "unversioned:b-7"', 'BuildIds = "unversioned:b-6"']);
    expect(latestBuilds('', runs.slice(0, 2))).toBeUndefined();
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
