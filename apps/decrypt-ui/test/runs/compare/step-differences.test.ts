import { describe, expect, test } from 'vitest';
import { parseJson, type PayloadValue } from '../../../src/payloads/value/payload-value.ts';
import { causesOf, substitutionsOf } from '../../../src/runs/compare/consequences.ts';
import type { PairStates } from '../../../src/runs/compare/pair-state.ts';
import { stepDifferences } from '../../../src/runs/compare/step-differences.ts';
import { valueDifferences } from '../../../src/runs/compare/value-differences.ts';
import { historyOf } from '../../fixtures/history.ts';
import { FixtureRun } from '../../fixtures/run.ts';

const json = (text: string): PayloadValue => ({ kind: 'json', text, value: parseJson(text) });
const bytes = (...values: number[]): PayloadValue => ({ kind: 'bytes', bytes: Uint8Array.from(values) });
const between = (left: string, right: string) => valueDifferences(json(left), json(right));

describe('two payloads', () => {
  test.each([
    ['in a member', '{"a":{"b c":1}}', '{"a":{"b c":2}}', [{ path: 'a."b c"', left: '1', right: '2' }]],
    ['in an item', '{"a":[1,{"b":"x"}]}', '{"a":[1,{"b":"y"}]}', [{ path: 'a[1].b', left: 'x', right: 'y' }]],
    [
      'in members that only one has',
      '{"a":1,"b":{"c":2}}',
      '{"a":1,"d":null}',
      [
        { path: 'b', left: '{ c: 2 }' },
        { path: 'd', right: 'null' },
      ],
    ],
    ['in the digits of a number', '{"a":1.0}', '{"a":1}', [{ path: 'a', left: '1.0', right: '1' }]],
    ['in the kind of a value', '{"a":[]}', '{"a":{}}', [{ path: 'a', left: '[]', right: '{}' }]],
    ['in a name that objects inherit', '{}', '{"toString":1}', [{ path: 'toString', right: '1' }]],
    ['in nothing but the order of members', '{"a":1,"b":2}', '{"b":2,"a":1}', []],
    ['as a whole', '"x"', '3', [{ path: '', left: 'x', right: '3' }]],
  ])('differ %s', (_, left, right, differences) => {
    expect(between(left, right)).toEqual(differences);
  });

  test('yield at most 200 differences', () => {
    const [ones, twos] = [1, 2].map((value) => JSON.stringify(Array.from({ length: 5000 }, () => value)));
    expect(between(ones!, twos!)).toHaveLength(200);
  });

  test('of binary data differ if one byte differs', () => {
    expect(valueDifferences(bytes(1, 2), bytes(1, 2))).toEqual([]);
    expect(valueDifferences(bytes(1, 2), bytes(1, 3))).toHaveLength(1);
  });
});

describe('a difference', () => {
  const substitutions = substitutionsOf(
    between(
      '{"customer":"Mira Lindqvist","cents":1290,"gift":true,"n":12}',
      '{"customer":"Pavel Novak","cents":51290,"gift":false,"n":13}',
    ),
  );
  const causes = (left: string, right: string) =>
    causesOf({ path: '', left, right }, substitutions)?.map((index) => substitutions[index]!.left);

  test('follows from the input if the input has the same change, either as a whole value or within longer text', () => {
    expect(causes('Mira Lindqvist', 'Pavel Novak')).toEqual(['Mira Lindqvist']);
    expect(causes('Charge Mira Lindqvist 1290 cents', 'Charge Pavel Novak 51290 cents')).toEqual([
      'Mira Lindqvist',
      '1290',
    ]);
    expect(causes('1290', '51290')).toEqual(['1290']);
  });

  test('does not follow from the input if something else changed too, or if the input’s number is only part of a longer number', () => {
    expect(causes('Mira Lindqvist, gold', 'Pavel Novak, silver')).toBeUndefined();
    expect(causes('12900', '512900')).toBeUndefined();
    expect(causes('order-1290a', 'order-51290a')).toBeUndefined();
    expect(causes('x', 'y')).toBeUndefined();
    expect(causesOf({ path: 'a', left: '1290' }, substitutions)).toBeUndefined();
  });

  test('does not follow from the input if the values are so short that they can occur anywhere', () => {
    expect(substitutions.map(({ left }) => left)).toEqual(['Mira Lindqvist', '1290', 'true']);
    expect(causes('12', '13')).toBeUndefined();
  });

  test('follows from the input even if the input contains `$&` or `$1`, which are not treated as replacement patterns', () => {
    const odd = substitutionsOf(between('{"a":"abc"}', '{"a":"$&$1"}'));
    expect(causesOf({ path: '', left: 'x abc', right: 'x $&$1' }, odd)).toEqual([0]);
  });
});

function stepOf(took: number) {
  const run = new FixtureRun({ workflowId: 'w' });
  const scheduledEventId = String(run.add('ActivityTaskScheduled', 0, { activityId: '1' }));
  run.add('ActivityTaskCompleted', took, { scheduledEventId });
  return historyOf(run.events).groups[0]!;
}

describe('a step', () => {
  const none: PairStates = { differences: [], hidden: 0, stored: 0, unreadable: 0, waiting: 0, single: 0 };
  const textOf = (before: number, after: number, states = none, moved?: number) =>
    stepDifferences({
      step: { left: stepOf(before), right: stepOf(after), ...(moved !== undefined && { moved }) },
      states,
      substitutions: [{ left: 'abc', right: 'xyz' }],
      leftOpen: false,
      rightOpen: false,
    });

  test.each([
    [800, 4200, '3.4 s longer'],
    [4200, 800, '3.4 s shorter'],
    [800, 1700, 'equal'],
    [10_000, 15_000, 'equal'],
    [1, 900, 'equal'],
  ])('that took %i ms and %i ms is %s', (before, after, text) => {
    expect(textOf(before, after).text).toBe(text);
  });

  test('differs if it moved, and shows how far it moved', () => {
    expect(textOf(5, 5, none, 3)).toMatchObject({ text: 'moved, 3 steps later', different: true });
    expect(textOf(5, 5, none, -1).text).toBe('moved, 1 step earlier');
  });

  test('is not different if all its differences follow from the input', () => {
    const follows = { title: 'Input', path: 'a', left: 'abc', right: 'xyz' };
    const other = { title: 'Input', path: 'b', left: '1', right: '2' };
    expect(textOf(5, 5, { ...none, differences: [follows] })).toMatchObject({
      text: 'follows from the input',
      different: false,
      consequences: [1],
    });
    expect(textOf(5, 5, { ...none, differences: [follows, other] })).toMatchObject({
      text: '',
      different: true,
      values: [other],
      consequences: [1],
    });
  });

  test('is not called equal while its payloads are locked, in external storage or being requested', () => {
    expect(textOf(5, 5, { ...none, hidden: 1 })).toMatchObject({ text: 'locked', unknown: true });
    expect(textOf(5, 5, { ...none, stored: 1 })).toMatchObject({
      text: 'in external storage, not read',
      unknown: true,
    });
    expect(textOf(5, 5, { ...none, waiting: 1 })).toMatchObject({ text: '…', waiting: true });
  });
});
