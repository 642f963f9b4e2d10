import type { RunProgress, WorkflowSummary } from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import { suggestionsFor, valueProblem, valueSuggestions } from '../../../src/runs/filter/suggestions.ts';
import { printQuery } from '../../../src/runs/filter/visibility-query.ts';
import { csvOfRows } from '../../../src/runs/list/list-export.ts';
import { progressProblem, reportedProblem } from '../../../src/runs/list/table/problems.ts';

const summary = (more: Partial<WorkflowSummary> = {}): WorkflowSummary => ({
  workflowId: 'order-1',
  runId: '01997c2e-0000-7000-8000-000000000001',
  type: 'order',
  taskQueue: 'orders',
  status: 'Running',
  historyLength: 3,
  historySizeBytes: 100,
  searchAttributes: {},
  memo: [],
  ...more,
});

const now = Date.parse('2026-11-24T13:00:00Z');

const problemOf = (progress: Partial<RunProgress>) =>
  progressProblem({ workflowId: 'order-1', runId: summary().runId, taskQueues: [], ...progress }, now);

const since = (seconds: number) => new Date(now - seconds * 1000).toISOString();
const task = (seconds: number, more: object = {}) => ({
  task: { attempt: 1, since: since(seconds), taken: false, ...more },
});
const queue = (polling: boolean, kind: 'workflow' | 'activity' = 'workflow', waiting = 1) => ({
  name: kind === 'workflow' ? 'orders' : 'cards',
  kind,
  waiting,
  pollers: 0,
  polling,
});

describe('a running workflow', () => {
  it('has the problem that Temporal reports in a search attribute', () => {
    const problem = reportedProblem(
      summary({
        searchAttributes: {
          TemporalReportedProblems: [
            'category=WorkflowTaskTimedOut',
            'cause=WorkflowTaskTimedOutCauseScheduleToStart',
          ],
        },
      }),
    );
    expect(problem).toEqual({
      text: 'Task times out',
      detail: 'Temporal reports that the workflow task times out repeatedly: ScheduleToStart.',
    });
    expect(reportedProblem(summary())).toBeUndefined();
  });

  it.each<[Partial<RunProgress>, string | undefined]>([
    [task(3600, { attempt: 8, taken: true }), 'Task fails ×7'],
    [{ retrying: { name: 'pay', attempt: 12 } }, 'Retrying ×11'],
    [{ retrying: { name: 'pay', attempt: 4 } }, undefined],
    [task(3600, { taken: true }), undefined],
    [task(2), undefined],
    [{}, undefined],
    // The text distinguishes two states: no worker polls, or workers poll but none has taken the work.
    [{ ...task(9000), taskQueues: [queue(false)] }, 'No worker 2 h'],
    [{ ...task(240), taskQueues: [queue(true)] }, 'Not taken 4 m'],
    [task(240), 'Not taken 4 m'],
    [{ ...task(240), taskQueues: [queue(true), queue(false, 'activity')] }, 'Not taken 4 m'],
    [
      { untaken: { name: 'pay', since: since(45) }, taskQueues: [queue(false, 'activity')] },
      'No worker 45 s',
    ],
    [{ untaken: { name: 'pay', since: since(45) }, taskQueues: [queue(false)] }, 'Not taken 45 s'],
    [{ untaken: { name: 'pay', since: since(20) }, taskQueues: [queue(false, 'activity')] }, undefined],
  ])('with the progress %j shows its problem', (progress, expected) => {
    expect(problemOf(progress)?.text).toBe(expected);
  });

  it('names the task queue, and shows what waits in it', () => {
    expect(problemOf({ ...task(9000), taskQueues: [queue(false)] })?.detail).toBe(
      'No worker is polling the task queue orders, where the workflow task has waited for 2 h 30 m.',
    );
    expect(problemOf({ ...task(240), taskQueues: [queue(true)] })?.detail).toBe(
      'Workers are polling the task queue orders, but none has taken the workflow task for 4 m. They may be busy.',
    );
  });
});

const printed = (suggestions: ReturnType<typeof suggestionsFor>) =>
  suggestions.map((suggestion) =>
    suggestion.kind === 'attribute'
      ? suggestion.attribute
      : printQuery({ kind: 'conditions', conditions: [suggestion.condition] }),
  );

describe('a filter suggestion', () => {
  const known = {
    attributes: ['TenantId'],
    values: new Map([
      ['WorkflowType', ['Charge', 'Refund']],
      ['TenantId', ['acme', 'globex']],
    ]),
  };
  it.each([
    ['stat', 'ExecutionStatus'],
    ['Status', 'ExecutionStatus'],
    ['fail', 'ExecutionStatus = "Failed"'],
    ['run', 'ExecutionStatus = "Running"'],
    ['timed', 'ExecutionStatus = "TimedOut"'],
    ['queue', 'TaskQueue'],
    ['type', 'WorkflowType'],
    ['last', 'StartTime >= "-1h"'],
    ['last 24', 'StartTime >= "-24h"'],
    ['today', 'StartTime >= "today"'],
    // A word that matches no name counts as the beginning of an id or type.
    ['ref', '(WorkflowId STARTS_WITH "ref" OR WorkflowType STARTS_WITH "ref")'],
    ['tenant', '(WorkflowId STARTS_WITH "tenant" OR WorkflowType STARTS_WITH "tenant")'],
    ['f', '(WorkflowId STARTS_WITH "f" OR WorkflowType STARTS_WITH "f")'],
    ['failed-7', '(WorkflowId STARTS_WITH "failed-7" OR WorkflowType STARTS_WITH "failed-7")'],
    ['TaskQueue != "a"', 'TaskQueue != "a"'],
  ])('for %s is first %s', (text, expected) => {
    expect(printed(suggestionsFor(text, known))[0]).toBe(expected);
  });

  it('offers to search ids and types for a word, and offers each status, attribute and type once', () => {
    const all = printed(suggestionsFor('fail', known));
    expect(all).toContain('(WorkflowId STARTS_WITH "fail" OR WorkflowType STARTS_WITH "fail")');
    expect(new Set(all).size).toBe(all.length);
    expect(printed(suggestionsFor('ref', known))).toContain('WorkflowType = "Refund"');
    expect(printed(suggestionsFor('', known))[0]).toBe('ExecutionStatus');
    expect(printed(suggestionsFor('', known))).toContain('StartTime >= "-1h"');
  });

  it.each([
    ['ExecutionStatus', 'time', ['ExecutionStatus = "TimedOut"']],
    ['ExecutionStatus', 'nonsense', []],
    ['TenantId', '', ['TenantId = "acme"', 'TenantId = "globex"']],
    ['TenantId', '!acme', ['TenantId != "acme"']],
    ['TenantId', 'new', ['TenantId = "new"']],
    ['WorkflowType', 'ref', ['WorkflowType = "Refund"', 'WorkflowType = "ref"']],
    ['WorkflowType', 'Refund', ['WorkflowType = "Refund"']],
    ['WorkflowId', 'order-*', ['WorkflowId STARTS_WITH "order-"']],
    ['HistoryLength', '>100', ['HistoryLength > 100']],
    ['HistoryLength', '100', ['HistoryLength >= 100']],
    ['HistoryLength', 'many', []],
    ['ExecutionDuration', '1h30m', ['ExecutionDuration >= "1h30m"']],
    ['ExecutionDuration', 'long', []],
    ['StartTime', '<today', ['StartTime < "today"']],
    ['StartTime', '-3h', ['StartTime >= "-3h"']],
    ['StartTime', '3h', ['StartTime >= "-3h"']],
    ['StartTime', 'last', ['StartTime >= "-1h"', 'StartTime >= "-24h"', 'StartTime >= "-7d"']],
    ['StartTime', 'hour', ['StartTime >= "-1h"', 'StartTime >= "-24h"']],
    ['CloseTime', '2026-11-24', ['CloseTime >= "2026-11-24T00:00:00Z"']],
    ['CloseTime', '2026-11-24T13:00:00+02:00', ['CloseTime >= "2026-11-24T13:00:00+02:00"']],
    ['CloseTime', '2026-99-24', []],
    ['CloseTime', 'yesterday', []],
    // Only Temporal's own time attributes are checked, so this attribute may have any text as its value.
    ['PickupTime', 'yesterday', ['PickupTime = "yesterday"']],
  ])('for the attribute %s interprets the text %s, or rejects it', (attribute, text, expected) => {
    expect(printed(valueSuggestions(attribute, text, known))).toEqual(expected);
    expect(valueProblem(attribute, text, known) === undefined).toBe(expected.length > 0);
  });
});

it('writes rows as CSV with quotes, and without text that a spreadsheet would run as a formula', () => {
  const csv = csvOfRows([
    summary({ workflowId: '=HYPERLINK("x")', searchAttributes: { Tags: ['a', 'b'], Value: 2 } }),
    summary({ workflowId: 'two\nlines', closeTime: '2026-11-24T13:00:00Z' }),
  ]);
  expect(csv.split('\r\n')[0]).toBe(
    'workflowId,runId,type,status,taskQueue,startTime,closeTime,historyLength,historySizeBytes,Tags,Value',
  );
  expect(csv).toContain(`"'=HYPERLINK(""x"")",`);
  expect(csv).toContain(',100,"[""a"",""b""]",2\r\n');
  expect(csv).toContain('"two\nlines",');
});
