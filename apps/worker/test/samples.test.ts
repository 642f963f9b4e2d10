import { encodingOf, textOf } from '@temporal-kms/testing/history';
import { workflowMetadataQuery } from '@temporalio/workflow';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLog, installRuntime } from '../src/log.ts';
import { catalogue } from '../src/starter/catalogue.ts';
import { sampleData } from '../src/starter/sample-data.ts';
import { SCHEDULE_ID, seedSchedule } from '../src/starter/sample-schedule.ts';
import { seed, type Seeded } from '../src/starter/seed.ts';
import { approve, mayApprove, openSince, remind } from '../src/workflows/approval.ts';
import { namespace, startStack, taskQueue, type Stack } from './support/stack.ts';

/** The final status of each sample, and its minimum number of events. */
const expected: Record<string, readonly [status: string, events: number]> = {
  'order-1001': ['COMPLETED', 40],
  'order-1002': ['COMPLETED', 40],
  'order-1003': ['COMPLETED', 40],
  'order-1004-plaintext': ['COMPLETED', 40],
  'checkout-2001': ['FAILED', 10],
  'courier-3001': ['RUNNING', 10],
  'settlement-5001': ['RUNNING', 5],
  'approval-6001-cancelled': ['CANCELLED', 8],
  'approval-6002-timed-out': ['TIMED_OUT', 3],
  'approval-6003-terminated': ['TERMINATED', 5],
  'approval-6004-waiting': ['RUNNING', 5],
  'subscription-7001': ['COMPLETED', 10],
  'loyalty-report-8001': ['RUNNING', 4],
  'basket-9001': ['COMPLETED', 8],
  'repair-9101': ['COMPLETED', 10],
  'repair-9102-leaked': ['FAILED', 8],
  'daily-report-9201-no-worker': ['RUNNING', 2],
  'stocktake-4001': ['COMPLETED', 3_000],
};

describe('the sample data', () => {
  let stack: Stack;
  let first: Seeded;
  const lines: string[] = [];
  const seedAll = () =>
    seed({ clients: stack.clients, taskQueue, runs: sampleData, print: (line) => void lines.push(line) });

  const list = async (request: { readonly query?: string } = {}) =>
    (await stack.connection.workflowService.listWorkflowExecutions({ namespace, ...request })).executions;
  /** Returns the ids of the workflows. Some of the samples continue as new, so the number of runs may change. */
  const ids = async () => new Set((await list()).map(({ execution }) => execution?.workflowId));

  beforeAll(async () => {
    installRuntime(createLog('silent'));
    stack = await startStack({ encrypted: true });
    first = await seedAll();
  });
  afterAll(() => stack?.close());

  it('starts completely, and prints a line of progress for each workflow', () => {
    expect(first).toEqual({ started: sampleData.length, kept: 0, failed: 0 });
    expect(lines).toHaveLength(sampleData.length);
    expect(Object.keys(expected).toSorted()).toEqual(
      sampleData.map(({ workflowId }) => workflowId).toSorted(),
    );
  });

  it.each(Object.entries(expected))(
    'contains %s, which reaches the status %s',
    async (workflowId, [status, events]) => {
      const handle = stack.clients.get('envelope-v2').workflow.getHandle(workflowId);
      await vi.waitFor(
        async () => {
          const described = await handle.describe();
          expect(described.status.name).toBe(status);
          expect(described.historyLength).toBeGreaterThanOrEqual(events);
        },
        { timeout: 150_000, interval: 200 },
      );
    },
  );

  it('contains a chain of runs that continued as new', async () => {
    const query = "WorkflowId = 'subscription-7001' AND ExecutionStatus = 'ContinuedAsNew'";
    await vi.waitFor(async () => expect(await list({ query })).toHaveLength(3), 60_000);
  });

  it.each([
    ['order-1001', 'binary/envelope-kms-v2'],
    ['order-1002', 'binary/envelope-kms'],
    ['order-1003', 'binary/gcp-kms'],
    ['order-1004-plaintext', 'json/plain'],
  ])('contains %s, whose input is in the format %s', async (workflowId, encoding) => {
    const handle = stack.clients.get('envelope-v2').workflow.getHandle(workflowId);
    const { events } = await handle.fetchHistory();
    const input = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
    expect(encodingOf(input ?? {})).toBe(encoding);
  });

  it('contains a signal in plaintext', async () => {
    const { events } = await stack.clients
      .get('plain')
      .workflow.getHandle('approval-6004-waiting')
      .fetchHistory();
    const signals = events?.flatMap(
      (event) => event.workflowExecutionSignaledEventAttributes?.input?.payloads ?? [],
    );
    expect(signals?.map(textOf)).toEqual(['"sent without the codec"']);
  });

  it('contains a failure message in plaintext, for `temporal-kms plaintext` to find', async () => {
    const { events } = await stack.clients
      .get('plain')
      .workflow.getHandle('repair-9102-leaked')
      .fetchHistory();
    const failed = events?.map((event) => event.activityTaskFailedEventAttributes?.failure?.message);
    expect(failed).toContain('Card 4111 1111 1111 1111 of vera.simic@example.com was declined');
  });

  it('contains an approval that shows current details, answers queries, and ends with an update', async () => {
    const workflowId = 'approval-of-this-test';
    const client = stack.clients.get('envelope-v2');
    const handle = await catalogue.approval.start(client, { workflowId, taskQueue });
    await handle.signal(remind, 'by noon');
    expect(await handle.query(workflowMetadataQuery)).toMatchObject({
      currentDetails: expect.stringContaining('**Hanna Berg** asks for **2500.00**'),
    });
    expect(await handle.query(openSince)).toMatch(/^20\d\d-/);
    expect(await handle.query(mayApprove, 'accounts')).toBe(true);
    expect(await handle.executeUpdate(approve, { args: ['Ana'] })).toBe('Hanna Berg gets 2500.00');
    expect(await handle.result()).toBe('Ana approved 2500.00 for Hanna Berg');
  });

  it('contains a schedule with an encrypted argument and next runs, and a second start does not create another', async () => {
    const client = stack.clients.get('envelope-v2');
    expect([await seedSchedule(client, taskQueue), await seedSchedule(client, taskQueue)]).toEqual([
      true,
      false,
    ]);
    const { schedule, info } = await stack.connection.workflowService.describeSchedule({
      namespace,
      scheduleId: SCHEDULE_ID,
    });
    const [input] = schedule?.action?.startWorkflow?.input?.payloads ?? [];
    expect(encodingOf(input ?? {})).toBe('binary/envelope-kms-v2');
    expect(info?.futureActionTimes).not.toEqual([]);
  });

  it('is unchanged by a second start', async () => {
    await vi.waitFor(async () => expect(await ids()).toContain('approval-of-this-test'), 60_000);
    const before = await ids();
    expect(await seedAll()).toEqual({ started: 0, kept: sampleData.length, failed: 0 });
    expect(await ids()).toEqual(before);
  });
});
