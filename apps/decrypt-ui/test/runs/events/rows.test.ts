import { describe, expect, test } from 'vitest';
import { matchedGroups, searchWords } from '../../../src/runs/events/matches.ts';
import { rowsOf } from '../../../src/runs/events/rows.ts';
import { createHistoryBuilder, listOf } from '../../fixtures/history.ts';
import { orderRun } from '../../fixtures/order-run.ts';
import { FixtureRun } from '../../fixtures/run.ts';

function order() {
  const builder = createHistoryBuilder();
  builder.append(orderRun(Date.now()).events);
  return builder.snapshot();
}

const options = { view: 'groups', expanded: new Set<number>(), tasks: false } as const;

describe('rows', () => {
  test('show one group each, and below an expanded group its events and its unrecorded attempts', () => {
    const history = order();
    const closed = listOf(rowsOf(history, options));
    const capture = closed.find((row) => row.group.id === 39)!;
    expect(capture).toMatchObject({ kind: 'group', level: 1, expandable: true, expanded: false });
    const open = listOf(rowsOf(history, { ...options, expanded: new Set([39]) }));
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

  test('show one event each, in order, in the view of all events', () => {
    const history = order();
    const all = listOf(rowsOf(history, { ...options, view: 'all' }));
    expect(all.map((row) => row.key)).toEqual(history.events.map((event) => `e${event.eventId}`));
    expect(all.every((row) => row.level === 1)).toBe(true);
  });

  test('include workflow tasks only if they failed, are open, are selected or are requested', () => {
    const run = new FixtureRun({ workflowId: 'w' });
    const good = run.add('WorkflowTaskScheduled', 0);
    run.add('WorkflowTaskCompleted', 1, { scheduledEventId: String(good) });
    const bad = run.add('WorkflowTaskScheduled', 2);
    run.add('WorkflowTaskFailed', 3, { scheduledEventId: String(bad) });
    run.add('WorkflowTaskScheduled', 4);
    const builder = createHistoryBuilder();
    builder.append(run.events);
    const history = builder.snapshot();
    const shown = (more: object) =>
      listOf(rowsOf(history, { ...options, ...more })).map((row) => row.group.id);
    expect(shown({})).toEqual([3, 5]);
    expect(shown({ selected: 1 })).toEqual([1, 3, 5]);
    expect(shown({ tasks: true })).toEqual([1, 3, 5]);
  });
});

describe('row objects', () => {
  test.each([
    ['of groups', {}],
    ['of the events below a group', { expanded: new Set([1]) }],
    ['of all events', { view: 'all' }],
  ] as const)(
    '%s are replaced when their own group changes, and kept when another group changes',
    (_, more) => {
      const run = new FixtureRun({ workflowId: 'w' });
      const activity = run.add('ActivityTaskScheduled', 0, { activityType: { name: 'pay' } });
      run.add('ActivityTaskStarted', 1, { scheduledEventId: String(activity) });
      run.add('WorkflowExecutionSignaled', 2, { signalName: 'cancel' });
      const builder = createHistoryBuilder();
      builder.append(run.events);
      const before = listOf(rowsOf(builder.snapshot(), { ...options, ...more }));
      run.add('ActivityTaskCompleted', 3, { scheduledEventId: String(activity) });
      builder.append(run.events.slice(3));
      const history = builder.snapshot();
      const after = rowsOf(history, { ...options, ...more });
      for (const row of before) {
        const now = after.at(after.indexOf(row.key));
        expect(now?.group, row.key).toBe(history.groups.find(({ id }) => id === row.group.id));
        if (row.group.id === activity) expect(now, row.key).not.toBe(row);
        else expect(now, row.key).toBe(row);
      }
      expect(before.map(({ group }) => group.id)).toEqual(expect.arrayContaining([activity, 3]));
    },
  );
});

describe('row positions', () => {
  const history = order();

  test('map to rows, whose keys map back to the positions, in both views, whichever groups are expanded or shown', () => {
    const everyGroup = new Set(history.groups.map((group) => group.id));
    const some = new Set([11, 39, 53]);
    const events = new Set([11, 12, 40, 44]);
    const only = { groups: new Set([4, 9]), events };
    for (const view of ['groups', 'all'] as const) {
      for (const expanded of [new Set<number>(), some, everyGroup]) {
        for (const tasks of [false, true]) {
          for (const filter of [undefined, only]) {
            const rows = rowsOf(history, { view, expanded, tasks, only: filter });
            const list = listOf(rows);
            expect(list.every((row) => row !== undefined)).toBe(true);
            expect(new Set(list.map((row) => row.key)).size).toBe(rows.length);
            expect(list.map((row) => rows.indexOf(row.key))).toEqual(list.map((_, index) => index));
          }
        }
      }
    }
  });

  test('do not exist for rows that are not shown', () => {
    const rows = rowsOf(history, options);
    for (const key of ['e44', 'a39', 'g2', 'g9999', 'e0', '']) expect(rows.indexOf(key), key).toBe(-1);
    expect(rows.at(-1)).toBeUndefined();
    expect(rows.at(rows.length)).toBeUndefined();
  });

  test('still lead to the same row objects after another group is expanded', () => {
    const rows = rowsOf(history, options);
    expect(rowsOf(history, { ...options, expanded: new Set([39]) }).at(0)).toBe(rows.at(0));
  });
});

describe('find', () => {
  const builder = createHistoryBuilder();
  builder.append(orderRun(Date.now()).events);
  const history = builder.snapshot();
  const events = (term: string) => builder.find(searchWords(term));
  const groups = (term: string) => {
    const matches = new Map(events(term).map((id) => [id, []]));
    return [...matchedGroups(matches, history)].map((index) => history.groups[index]!.id);
  };

  test('finds groups whose names, ids, event numbers and workers contain all words of the term', () => {
    expect(groups('capture')).toEqual([39, 53]);
    expect(groups('#44')).toEqual([39]);
    expect(groups('activity adyen')).toEqual([53]);
    expect(groups('payments-worker-7d9f4').length).toBeGreaterThan(2);
    expect(groups('order-88213-fraud')).toEqual([21]);
  });

  test('finds an event by its group’s name', () => {
    expect(events('capturepayment')).toEqual([39, 43, 44]);
    expect(events('capturepayment failed')).toEqual([44]);
  });

  test('finds later events without searching earlier events again', () => {
    expect(builder.find(['capturepayment'], 43)).toEqual([43, 44]);
  });

  test('never searches payloads', () => {
    expect(events('maren')).toEqual([]);
    expect(events('do_not_honor')).toEqual([]);
  });

  test('finds nothing for a blank term', () => {
    expect(searchWords('  ')).toEqual([]);
  });
});
