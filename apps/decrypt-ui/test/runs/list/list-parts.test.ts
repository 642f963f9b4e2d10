import type { WorkflowDescription, WorkflowSummary } from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import { suggestionsFor, valueSuggestions } from '../../../src/runs/list/filter/suggestions.ts';
import { printQuery } from '../../../src/runs/list/filter/visibility-query.ts';
import { csvOfRows } from '../../../src/runs/list/list-export.ts';
import { describedProblem, reportedProblem, waitingProblem } from '../../../src/runs/list/table/problems.ts';

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

const description = (details: Record<string, unknown>): WorkflowDescription => ({
  workflow: summary(),
  relations: { children: [], resetPoints: [] },
  details,
  payloads: [],
});

describe('a running workflow', () => {
  it('has the problem that Temporal reports in its search attribute', () => {
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

  it.each([
    [{ pendingWorkflowTask: { attempt: 8, state: 'PENDING_WORKFLOW_TASK_STATE_STARTED' } }, 'Task fails ×7'],
    [
      {
        pendingWorkflowTask: {
          attempt: 1,
          state: 'PENDING_WORKFLOW_TASK_STATE_SCHEDULED',
          scheduledTime: '2026-11-24T10:30:00Z',
        },
      },
      'No worker 2 h',
    ],
    [{ pendingActivities: [{ attempt: 12, activityType: { name: 'pay' } }, { attempt: 2 }] }, 'Retrying ×11'],
    [
      {
        pendingActivities: [
          { attempt: 1, state: 'PENDING_ACTIVITY_STATE_SCHEDULED', scheduledTime: '2026-11-24T12:59:15Z' },
        ],
      },
      'No worker 45 s',
    ],
    [{ pendingActivities: [{ attempt: 12, paused: true }] }, undefined],
    [{ pendingWorkflowTask: { attempt: 1, state: 'PENDING_WORKFLOW_TASK_STATE_STARTED' } }, undefined],
    [
      {
        pendingWorkflowTask: {
          attempt: 1,
          state: 'PENDING_WORKFLOW_TASK_STATE_SCHEDULED',
          scheduledTime: '2026-11-24T12:59:58Z',
        },
      },
      undefined,
    ],
    [{}, undefined],
  ])('with the description %j shows its problem', (details, expected) => {
    expect(describedProblem(description(details), now)?.text).toBe(expected);
  });
});

const queue = (polling: boolean, waiting = 1) =>
  ({ name: 'orders', kind: 'workflow', waiting, pollers: 0, polling }) as const;

describe('a workflow that waits for a worker', () => {
  const problem = describedProblem(
    description({
      pendingWorkflowTask: {
        attempt: 1,
        state: 'PENDING_WORKFLOW_TASK_STATE_SCHEDULED',
        scheduledTime: '2026-11-24T12:56:00Z',
      },
    }),
    now,
  )!;

  it('has no worker if none polls its task queue', () => {
    expect(waitingProblem(problem, [queue(false)])).toMatchObject({
      text: 'No pollers 4 m',
      detail: 'The workflow task has waited for 4 m, and no worker polls the task queue orders.',
    });
  });

  it('waits for busy workers if they poll its task queue', () => {
    expect(waitingProblem(problem, [queue(true)])).toMatchObject({
      text: 'Not taken 4 m',
      detail:
        'Workers poll the task queue orders, but none has taken the workflow task for 4 m. They may be busy.',
    });
  });

  it.each([[undefined], [[]], [[queue(false, 0)]]])('keeps its problem with the task queues %j', (queues) => {
    expect(waitingProblem(problem, queues)).toBe(problem);
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
  it('begins with the search for a word, then names statuses, attributes and types', () => {
    expect(printed(suggestionsFor('ref', known))).toEqual([
      '(WorkflowId STARTS_WITH "ref" OR WorkflowType STARTS_WITH "ref")',
      'WorkflowType = "Refund"',
    ]);
    expect(printed(suggestionsFor('fail', known))).toContain('ExecutionStatus = "Failed"');
    expect(printed(suggestionsFor('tenant', known))).toContain('TenantId');
    expect(printed(suggestionsFor('', known))[0]).toBe('ExecutionStatus');
    expect(printed(suggestionsFor('TaskQueue != "a"', known))).toEqual(['TaskQueue != "a"']);
  });

  it.each([
    ['ExecutionStatus', 'time', ['ExecutionStatus = "TimedOut"']],
    ['TenantId', '', ['TenantId = "acme"', 'TenantId = "globex"']],
    ['TenantId', '!acme', ['TenantId != "acme"']],
    ['WorkflowId', 'order-*', ['WorkflowId STARTS_WITH "order-"']],
    ['HistoryLength', '>100', ['HistoryLength > 100']],
    ['HistoryLength', '100', ['HistoryLength >= 100']],
    ['StartTime', '<today', ['StartTime < "today"']],
    ['StartTime', '-3h', ['StartTime >= "-3h"']],
  ])('for a value of %s reads %s', (attribute, text, expected) => {
    expect(printed(valueSuggestions(attribute, text, known))).toEqual(expected);
  });
});

it('writes rows as CSV, with quotes, and with no text that a spreadsheet runs as a formula', () => {
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
