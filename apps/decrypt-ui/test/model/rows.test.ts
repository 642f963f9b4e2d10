import { describe, expect, test } from 'vitest';
import { matcher } from '../../src/model/find.ts';
import { createHistoryBuilder } from '../../src/model/history.ts';
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
  test('has one row per group, and in an expanded group one per event and one for unrecorded attempts', () => {
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

  test('has one row per event, in order, in the view of all events', () => {
    const { groups, events } = order();
    const all = rowsOf(groups, events, { ...options, view: 'all' });
    expect(all.map((row) => row.key)).toEqual(events.map((event) => `e${event.eventId}`));
    expect(all.every((row) => row.level === 1)).toBe(true);
  });

  test('has workflow tasks only if they failed, are not durable, are selected or are requested', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    const good = run.add('WorkflowTaskScheduled', 0);
    run.add('WorkflowTaskCompleted', 1, { scheduledEventId: String(good) });
    const bad = run.add('WorkflowTaskScheduled', 2);
    run.add('WorkflowTaskFailed', 3, { scheduledEventId: String(bad) });
    run.add('WorkflowTaskScheduled', 4, {}, { durable: false });
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

  test('finds rows that contain all words of the term in names, ids, event numbers and workers', () => {
    expect(hits('capture')).toEqual(['g39', 'g53']);
    expect(hits('#44')).toEqual(['g39']);
    expect(hits('activity adyen')).toEqual(['g53']);
    expect(hits('payments-worker-7d9f4').length).toBeGreaterThan(2);
    expect(hits('order-88213-fraud')).toEqual(['g21']);
  });

  test('finds an event by the name of its group', () => {
    expect(hits('capturepayment', 'all')).toEqual(['e39', 'e43', 'e44']);
  });

  test('never searches payloads', () => {
    expect(hits('maren')).toEqual([]);
    expect(hits('do_not_honor')).toEqual([]);
  });

  test('does not search for an empty term', () => {
    expect(matcher('  ')).toBeUndefined();
  });
});
