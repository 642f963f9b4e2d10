import { describe, expect, it } from 'vitest';
import { conditionWords } from '../../../src/runs/filter/condition-words.ts';
import {
  startOf,
  statusesOf,
  withCondition,
  withoutCondition,
  withStart,
  withStatuses,
} from '../../../src/runs/filter/edit-query.ts';
import {
  comparison,
  parseQuery,
  printQuery,
  resolveTimes,
} from '../../../src/runs/filter/visibility-query.ts';
import { listSearch } from '../../../src/runs/list/list-params.ts';
import { searchOf, viewOf } from '../../../src/runs/list/list-view.ts';
import {
  columnsOf,
  moved,
  printColumns,
  toggled,
  usualColumns,
} from '../../../src/runs/list/table/columns.ts';

const words = (text: string) => {
  const query = parseQuery(text);
  return query.kind === 'raw'
    ? `raw: ${query.problem}`
    : query.conditions.map((condition) => {
        const { name, operator, value } = conditionWords(condition);
        return [name, operator, value].filter(Boolean).join(' ');
      });
};

describe('a visibility query', () => {
  it.each([
    ['ExecutionStatus = "Failed"', ['Status is Failed']],
    ["WorkflowType = 'Charge' and TaskQueue != 'a'", ['Type is Charge', 'Task queue is not a']],
    ['ExecutionStatus IN ("Failed", "TimedOut")', ['Status is Failed or Timed out']],
    ['StartTime >= "-24h"', ['Started within the last 24 h']],
    ['StartTime >= "today"', ['Started today']],
    [
      'StartTime BETWEEN "2025-01-02" AND "2025-01-03" AND x > 5',
      ['Started between 2025-01-02 and 2025-01-03', 'x > 5'],
    ],
    ['TemporalReportedProblems IS NOT NULL', ['Reported problems exists']],
    ['`Odd name` STARTS_WITH "a"', ['Odd name begins with a']],
    ['(WorkflowId STARTS_WITH "re" OR WorkflowType STARTS_WITH "re")', ['Id or type begins with re']],
    ['refund', ['Id or type begins with refund']],
    [
      '(StartTime >= "-1d" OR ExecutionStatus = "Running")',
      ['Started within the last 1 d or Status is Running'],
    ],
    ['a = 1 OR b = true', ['a is 1 or b is true']],
    ['a = 1 AND (b = 2 OR (c = 3 AND d = 4))', ['a is 1', 'b = 2 OR (c = 3 AND d = 4)']],
    ['NOT (a = 1)', ['NOT (a = 1)']],
    ['ExecutionDuration > "1m"', ['Duration > 1m']],
  ])('reads %s as conditions in words', (text, expected) => {
    expect(words(text)).toEqual(expected);
  });

  it.each([
    ['WorkflowId = "a', 'a quotation mark is not closed, or a character is unexpected'],
    ['(a = 1', 'its parentheses do not match'],
    ['a = 1 ORDER BY StartTime', 'it contains ORDER BY'],
    ['a = ', 'a part of it does not compare an attribute with a value'],
    ['a = 1 AND', 'a part of it does not compare an attribute with a value'],
    ['In valid', 'a part of it does not compare an attribute with a value'],
    ['a IN ("b" "c")', 'a part of it does not compare an attribute with a value'],
  ])('keeps %s unchanged, and states why', (text, problem) => {
    expect(words(text)).toBe(`raw: ${problem}`);
    expect(printQuery(parseQuery(text))).toBe(text.trim());
  });

  it.each([
    String.raw`WorkflowId = "a \"quoted\" \\ id" AND b = 'it''s'`,
    'a NOT IN ("x", 2) AND b NOT STARTS_WITH "c" AND d IS NULL',
    'a = 1 AND (b = 2 OR (c = 3 AND d = 4)) AND (x = 1 OR y = 2)',
    'a BETWEEN 1 AND 2 OR b = 3',
    'NOT (a = 1) AND b <> -2.5',
    'refund',
  ])('prints %s so that reading it again gives the same conditions', (text) => {
    const query = parseQuery(text);
    expect(query.kind).toBe('conditions');
    const printed = printQuery(query);
    expect(parseQuery(printed)).toEqual(query);
    expect(printQuery(parseQuery(printed))).toBe(printed);
  });

  it('replaces only the relative times of time attributes', () => {
    const now = Date.UTC(2026, 10, 24, 13, 5);
    const midnight = Date.UTC(2026, 10, 24);
    const resolved = (text: string) => resolveTimes(text, now, midnight);
    expect(resolved('StartTime >= "-24h" AND CloseTime < "today" AND a = "today"')).toBe(
      'StartTime >= "2026-11-23T13:05:00.000Z" AND CloseTime < "2026-11-24T00:00:00.000Z" AND a = "today"',
    );
    expect(resolved('StartTime BETWEEN "-2d" AND "-1d"')).toBe(
      'StartTime BETWEEN "2026-11-22T13:05:00.000Z" AND "2026-11-23T13:05:00.000Z"',
    );
    expect(resolved('a = "unclosed')).toBe('a = "unclosed');
  });
});

describe('the list view', () => {
  it.each([
    {},
    { q: 'ExecutionStatus = "Failed" AND StartTime >= "-24h"' },
    { q: 'a = 1 ORDER BY b', cols: 'id,status,@Tenant%2C%25' },
    { cols: 'id,started,closed' },
  ])('that was read from the search parameters %j is written as the same parameters', (search) => {
    expect(searchOf(viewOf(listSearch.parse(search)))).toEqual(search);
    const view = viewOf(search);
    expect(viewOf(searchOf(view))).toEqual(view);
  });

  it('drops unknown columns, and always has the column for the workflow id', () => {
    expect(columnsOf('status,nonsense,status,@A')).toEqual(['id', 'status', '@A']);
    expect(columnsOf('')).toBeUndefined();
    expect(columnsOf('%E0%A4%A')).toBeUndefined();
  });

  it('moves, hides and shows columns', () => {
    expect(printColumns(moved(usualColumns, 'type', -1))).toMatch(/^status,type,id/);
    expect(moved(usualColumns, 'status', -1)).toEqual(usualColumns);
    const hidden = toggled(usualColumns, 'queue');
    expect(hidden).not.toContain('queue');
    expect(toggled(hidden, 'queue')).toEqual(usualColumns);
    expect(toggled(usualColumns, 'id')).toEqual(usualColumns);
    expect(toggled(usualColumns, '@Tenant').at(-1)).toBe('@Tenant');
  });

  it('limits the list to statuses, and keeps the condition’s position in the query', () => {
    const query = parseQuery('a = 1 AND ExecutionStatus = "Failed" AND b = 2');
    expect(statusesOf(query)).toEqual(['Failed']);
    const two = withStatuses(query, ['Failed', 'Running']);
    expect(printQuery(two)).toBe('a = 1 AND ExecutionStatus IN ("Failed", "Running") AND b = 2');
    expect(statusesOf(two)).toEqual(['Failed', 'Running']);
    expect(printQuery(withStatuses(two, []))).toBe('a = 1 AND b = 2');
    expect(printQuery(withStatuses(parseQuery(''), ['Paused']))).toBe('ExecutionStatus = "Paused"');
    const raw = parseQuery('a = 1 ORDER BY b');
    expect(withStatuses(raw, ['Failed'])).toBe(raw);
  });

  it('limits the list to runs that started after a time, and replaces an earlier limit', () => {
    const query = parseQuery('StartTime >= "-7d" AND a = 1');
    expect(startOf(query)).toBe('-7d');
    expect(printQuery(withStart(query, '-1h'))).toBe('StartTime >= "-1h" AND a = 1');
    expect(printQuery(withStart(query, undefined))).toBe('a = 1');
    expect(printQuery(withStart(parseQuery('a = 1'), 'today'))).toBe('a = 1 AND StartTime >= "today"');
    expect(startOf(parseQuery('StartTime < "-7d"'))).toBeUndefined();
    const after = parseQuery('StartTime > "-24h"');
    expect(startOf(after)).toBe('-24h');
    expect(printQuery(withStart(after, '-1h'))).toBe('StartTime >= "-1h"');
    const raw = parseQuery('a = 1 ORDER BY b');
    expect(withStart(raw, '-1h')).toBe(raw);
  });

  it('adds and removes conditions', () => {
    const one = withCondition(parseQuery('a = 1'), comparison('b', '=', ['x"y']));
    expect(printQuery(one)).toBe(String.raw`a = 1 AND b = "x\"y"`);
    expect(printQuery(withoutCondition(one, 0))).toBe(String.raw`b = "x\"y"`);
  });
});
