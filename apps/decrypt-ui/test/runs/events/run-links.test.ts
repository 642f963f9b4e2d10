import { describe, expect, it } from 'vitest';
import { eventLinks, lineage, messageLinks, runSuffix } from '../../../src/runs/events/run-links.ts';
import { familyRows, familyRuns } from '../../../src/runs/relations/family.ts';
import { familyRuns as familyFixtures } from '../../fixtures/family.ts';
import { createHistoryBuilder } from '../../fixtures/history.ts';
import type { FixtureRun } from '../../fixtures/run.ts';

const { order, first, payment, shipment, fraud } = familyFixtures(Date.parse('2026-11-24T13:00:00Z'));

function historyOf(run: FixtureRun) {
  const builder = createHistoryBuilder();
  builder.append(run.events);
  return builder.snapshot();
}

const sourcesOf = (run: FixtureRun) => ({
  address: { namespace: 'test', workflowId: run.options.workflowId, runId: run.runId },
  description: run.description,
  groups: historyOf(run).groups,
});

describe('lineage', () => {
  it('names the previous run of a chain only once, even if it is also the first run of the chain', () => {
    expect(lineage(sourcesOf(order))).toEqual([
      { relation: 'Continued from', namespace: 'test', workflowId: 'family-order', runId: first.runId },
    ]);
  });

  it('names the next run of a run that continued as new', () => {
    expect(lineage(sourcesOf(first))).toEqual([
      { relation: 'Continued as', namespace: 'test', workflowId: 'family-order', runId: order.runId },
    ]);
  });

  it('names the parent, with the event that started the child, and a grandchild’s root', () => {
    const links = lineage(sourcesOf(fraud));
    expect(links.map(({ relation, runId }) => [relation, runId])).toEqual([
      ['Root', order.runId],
      ['Parent', payment.runId],
    ]);
    const parent = links.find(({ relation }) => relation === 'Parent');
    const started = historyOf(payment).events.find(({ eventId }) => eventId === parent?.eventId);
    expect(started?.eventName).toBe('StartChildWorkflowExecutionInitiated');
  });

  it('names the run that a reset replaced, and the run that a reset created', () => {
    const reset = familyFixtures(Date.now()).order;
    reset.add('WorkflowTaskScheduled', 10);
    reset.add('WorkflowTaskFailed', 20, {
      scheduledEventId: String(reset.events.length),
      cause: 'WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW',
      baseRunId: 'base',
      newRunId: reset.runId,
    });
    reset.relations = { resetRunId: 'later' };
    expect(lineage(sourcesOf(reset)).map(({ relation, runId }) => [relation, runId])).toEqual([
      ['Continued from', first.runId],
      ['Reset of', 'base'],
      ['Reset to', 'later'],
    ]);
  });
});

const eventOf = (attributes: object, eventName: string) => {
  const run = familyFixtures(Date.now()).first;
  run.add(eventName, 0, attributes);
  return historyOf(run).events.at(-1)!;
};

describe('eventLinks', () => {
  const home = { namespace: 'test', workflowId: 'a', runId: 'r1' };

  it.each([
    ['RETRY_STATE_IN_PROGRESS', 'Retried as'],
    ['RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED', 'Next cron run'],
  ])('labels the run that follows a failure with retry state %s: %s', (retryState, relation) => {
    const event = eventOf({ retryState, newExecutionRunId: 'r2' }, 'WorkflowExecutionFailed');
    expect(eventLinks(event, home)).toEqual([{ relation, namespace: 'test', workflowId: 'a', runId: 'r2' }]);
  });

  it('names the workflow that sent a signal', () => {
    const event = eventOf(
      {
        signalName: 's',
        externalWorkflowExecution: { workflowId: 'b', runId: 'r9' },
        externalInitiatedEventId: '7',
      },
      'WorkflowExecutionSignaled',
    );
    expect(eventLinks(event, home)).toEqual([
      { relation: 'Sent by', namespace: 'test', workflowId: 'b', runId: 'r9', eventId: 7 },
    ]);
  });

  it('leaves out a link to the run itself', () => {
    const event = eventOf(
      { workflowExecution: { workflowId: 'a', runId: 'r1' } },
      'ChildWorkflowExecutionStarted',
    );
    expect(eventLinks(event, home)).toEqual([]);
  });
});

it('finds signals to other workflows and the other side of a Nexus operation', () => {
  const { links, complete } = messageLinks(sourcesOf(order));
  expect(complete).toBe(true);
  expect(links).toEqual([
    { relation: 'Sent to', namespace: 'test', workflowId: 'ledger-7' },
    {
      relation: 'Linked',
      namespace: 'ledger-prod',
      workflowId: 'booking-12',
      runId: '01997c2e-f000-7000-8000-0000000000aa',
      eventId: 1,
    },
  ]);
});

it('distinguishes links to two runs of one workflow id, and leaves other links unchanged', () => {
  const child = { relation: 'Child', namespace: 'test', workflowId: 'child-1' } as const;
  const attempts = ['1', '2'].map((digit) => ({
    ...child,
    runId: `01997c2e-f000-7000-8000-00000000000${digit}`,
  }));
  const other = { ...child, workflowId: 'child-2', runId: 'r' };
  const links = [...attempts, other];
  expect(links.map((link) => runSuffix(link, links))).toEqual(['run …00000001', 'run …00000002', undefined]);
});

describe('familyRuns', () => {
  const { description, groups } = sourcesOf(order);

  it('finds the children in the history if Temporal lists none', () => {
    const known = familyRuns({ description, groups, listed: [] });
    expect(familyRows(known, new Set()).map(({ run, level }) => [run.workflowId, level])).toEqual([
      ['family-order', 1],
      ['family-payment', 2],
      ['family-shipment', 2],
    ]);
    expect(known.get(payment.runId)).toMatchObject({ outcome: 'ok', open: false });
    expect(known.get(shipment.runId)).toMatchObject({ outcome: 'running', open: true });
  });

  it('arranges the listed runs as a tree, with siblings by start time, and hides collapsed branches', () => {
    const listed = [shipment, fraud, payment, order].map((run) => run.summary);
    const known = familyRuns({ description, groups, listed });
    const names = (collapsed: ReadonlySet<string>) =>
      familyRows(known, collapsed).map(({ run, level }) => `${level} ${run.workflowId}`);
    expect(names(new Set())).toEqual([
      '1 family-order',
      '2 family-payment',
      '3 family-fraud',
      '2 family-shipment',
    ]);
    expect(names(new Set([payment.runId]))).toEqual([
      '1 family-order',
      '2 family-payment',
      '2 family-shipment',
    ]);
  });

  it('numbers the runs of one workflow id by start time', () => {
    const again = { ...payment.summary, runId: 'again', startTime: '2026-11-24T14:00:00Z' };
    const known = familyRuns({ description, groups, listed: [again, payment.summary, order.summary] });
    expect(familyRows(known, new Set()).map(({ run, which }) => [run.runId, which])).toEqual([
      [order.runId, undefined],
      [payment.runId, 'run 1 of 2'],
      [shipment.runId, undefined],
      ['again', 'run 2 of 2'],
    ]);
  });

  it('shows a parent and a root that Temporal no longer lists', () => {
    const known = familyRuns({ ...sourcesOf(fraud), listed: [fraud.summary] });
    expect(familyRows(known, new Set()).map(({ run, level }) => `${level} ${run.workflowId}`)).toEqual([
      '1 family-order',
      '2 family-payment',
      '3 family-fraud',
    ]);
  });
});
