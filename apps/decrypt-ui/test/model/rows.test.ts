import { describe, expect, test } from 'vitest';
import { createHistoryBuilder } from '../../src/model/history.ts';
import { matcher } from '../../src/model/find.ts';
import { rowsOf } from '../../src/model/rows.ts';
import { FixtureRun } from '../fixtures/run.ts';
import { orderRun } from '../fixtures/runs.ts';

function order() {
  const builder = createHistoryBuilder();
  builder.append(orderRun(Date.now()).events);
  return builder.snapshot();
}

const options = { view: 'groups', expanded: new Set<number>(), tasks: false } as const;

describe('rows', () => {
  test('one a group; expanded, one more an event and one for the attempts that were not recorded', () => {
    const { groups, events } = order();
    const closed = rowsOf(groups, events, options);
    const capture = closed.find((row) => row.group.id === 39)!;
    expect(capture).toMatchObject({ kind: 'group', level: 1, expandable: true, expanded: false });
    const open = rowsOf(groups, events, { ...options, expanded: new Set([39]) });
    const at = open.findIndex((row) => row.group.id === 39);
    expect(open.slice(at, at + 5).map((row) => [row.key, row.level])).toEqual([
      ['g39', 1],
      ['e39', 2],
      ['a39', 2],
      ['e43', 2],
      ['e44', 2],
    ]);
    expect(open[at + 2]).toMatchObject({ kind: 'attempts', attempt: 5 });
    expect(open[at + 4]).toMatchObject({ kind: 'event', last: true });
  });

  test('every event once, in order, when all are asked for', () => {
    const { groups, events } = order();
    const all = rowsOf(groups, events, { ...options, view: 'all' });
    expect(all.map((row) => row.key)).toEqual(events.map((event) => `e${event.eventId}`));
    expect(all.every((row) => row.level === 1)).toBe(true);
  });

  test('workflow tasks only where they failed, are not durable, are selected or asked for', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    const good = run.add(5, 0);
    run.add(7, 1, { scheduledEventId: String(good) });
    const bad = run.add(5, 2);
    run.add(9, 3, { scheduledEventId: String(bad) });
    run.add(5, 4, {}, { durable: false });
    const builder = createHistoryBuilder();
    builder.append(run.events);
    const { groups, events } = builder.snapshot();
    const shown = (more: object) =>
      rowsOf(groups, events, { ...options, ...more }).map((row) => row.group.id);
    expect(shown({})).toEqual([3, 5]);
    expect(shown({ selected: 1 })).toEqual([1, 3, 5]);
    expect(shown({ tasks: true })).toEqual([1, 3, 5]);
  });
});

describe('find', () => {
  const { groups, events } = order();
  const hits = (term: string, view: 'groups' | 'all' = 'groups') =>
    rowsOf(groups, events, { ...options, view })
      .filter(matcher(term) ?? (() => true))
      .map((row) => row.key);

  test('finds names, activity ids, event numbers and workers, all words of a term together', () => {
    expect(hits('capture')).toEqual(['g39', 'g53']);
    expect(hits('#44')).toEqual(['g39']);
    expect(hits('activity adyen')).toEqual(['g53']);
    expect(hits('payments-worker-7d9f4').length).toBeGreaterThan(2);
    expect(hits('order-88213-fraud')).toEqual(['g21']);
  });

  test('finds an event by what its group is about', () => {
    expect(hits('capturepayment', 'all')).toEqual(['e39', 'e43', 'e44']);
  });

  test('never looks into payloads', () => {
    expect(hits('maren')).toEqual([]);
    expect(hits('do_not_honor')).toEqual([]);
  });

  test('an empty term is no search', () => {
    expect(matcher('  ')).toBeUndefined();
  });
});
