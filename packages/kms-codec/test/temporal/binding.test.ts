import { setTimeout } from 'node:timers/promises';
import { WorkflowRunOperationHandler, startWorkflow } from '@temporalio/nexus';
import { Worker } from '@temporalio/worker';
import { serviceHandler } from 'nexus-rpc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KmsCodec, KmsCodecPlugin } from '../../src/index.ts';
import { createActivities } from './support/activities.ts';
import {
  CARD,
  failedTaskTypes,
  encryptedPayloadsIn,
  encryptedHistory,
  textsByNamespace,
} from './support/history.ts';
import { shipping } from './support/service.ts';
import { failureOf } from '@temporal-kms/testing/history';
import type { RunningWorker } from '@temporal-kms/testing/stack';
import { payments, shippingNamespace, type Stack, startStack, taskQueue, withId } from './support/stack.ts';
import * as workflows from './support/workflows.ts';

const endpoint = 'shipping-endpoint';

const shippingHandler = serviceHandler(shipping, {
  quote: (_context, card) => Promise.resolve(`quoted ${card}`),
  ship: new WorkflowRunOperationHandler<string, string>((context, card) =>
    startWorkflow(context, workflows.countdown, { args: [1, card], workflowId: `ship-${context.requestId}` }),
  ),
});

let stack: Stack;
let onHandOver: (taskToken: Uint8Array) => void = () => undefined;

beforeAll(async () => {
  stack = await startStack();
  await stack.connection.operatorService.createNexusEndpoint({
    spec: { name: endpoint, target: { worker: { namespace: shippingNamespace, taskQueue } } },
  });
});
afterAll(() => stack.close());

describe.each([
  { binding: 'namespace', bindWorkflow: false },
  { binding: 'workflow', bindWorkflow: true },
])('with $binding binding', ({ binding, bindWorkflow }) => {
  const id = (name: string) => `${binding}-${name}`;
  let workers: RunningWorker[];
  /** The codec of a separate process, whose caches contain none of the workers' data keys. */
  let starter: KmsCodec;

  beforeAll(async () => {
    starter = stack.codec({ bindWorkflow });
    const activities = createActivities((token) => onHandOver(token));
    const common = { taskQueue, workflowBundle: stack.bundle };
    workers = await Promise.all([
      stack.work({ ...common, codec: stack.codec({ bindWorkflow }), activities }),
      stack.work({
        ...common,
        codec: stack.codec({ bindWorkflow }),
        namespace: shippingNamespace,
        nexusServices: [shippingHandler],
      }),
    ]);
  });
  afterAll(() => Promise.all(workers.map((worker) => worker.stop())));

  const client = () => stack.client(payments, starter);
  const encrypted = (workflowId: string) => encryptedHistory(client(), workflowId);

  const runOrder = (workflowId: string) =>
    client().workflow.execute(workflows.order, {
      taskQueue,
      workflowId,
      args: [CARD],
      memo: { from: CARD },
      staticSummary: `a summary of ${CARD}`,
    });
  const orderResult = `charged ${CARD}, no risk with ${CARD}`;

  const runRefused = (workflowId: string) =>
    client().workflow.execute(workflows.refused, withId(workflowId, CARD));

  it('decodes activities, local activities, memos, summaries and heartbeats', async () => {
    expect(await runOrder(id('order'))).toBe(orderResult);
    const description = await client().workflow.getHandle(id('order')).describe();
    expect(description.memo).toEqual({ from: CARD, note: `a memo of ${CARD}` });
    expect(await description.staticSummary()).toBe(`a summary of ${CARD}`);
    await encrypted(id('order'));
  });

  it('decodes signals, queries and updates', async () => {
    const handle = await client().workflow.signalWithStart(workflows.conversation, {
      taskQueue,
      workflowId: id('conversation'),
      args: [CARD],
      signal: workflows.add,
      signalArgs: [`another ${CARD}`],
    });
    expect(await handle.query(workflows.cards, 'my')).toEqual([`my ${CARD}`, `my another ${CARD}`]);
    const updated = await handle.executeUpdate(workflows.replace, { args: [`a third ${CARD}`] });
    expect(updated).toBe(`replaced by a third ${CARD}`);
    await handle.signal(workflows.add, `a fourth ${CARD}`);
    await handle.signal(workflows.finish);
    expect(await handle.result()).toEqual([`a third ${CARD}`, `a fourth ${CARD}`]);
    await encrypted(id('conversation'));
  });

  it('decodes a run that continued as new', async () => {
    const result = await client().workflow.execute(workflows.countdown, withId(id('countdown'), 2, CARD));
    expect(result).toBe(`the last run had ${CARD}`);
    await encrypted(id('countdown'));
  });

  it('decodes a child in the same namespace', async () => {
    const result = await client().workflow.execute(workflows.parent, withId(id('parent'), CARD));
    expect(result).toBe(orderResult);
    await encrypted(id('parent'));
  });

  // Temporal's TypeScript SDK always starts a child in its parent's namespace ("Not configurable"). With
  // another SDK, a parent in another namespace can start a child in this namespace. The child's input is then
  // encrypted in the parent's namespace.
  it('decodes a child whose parent is in another namespace (started with a raw call)', async () => {
    const [input] = await starter.encode(
      [{ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(CARD)) }],
      { type: 'workflow', namespace: shippingNamespace, workflowId: id('child') },
    );
    await stack.connection.workflowService.startWorkflowExecution({
      namespace: payments,
      workflowId: id('child'),
      workflowType: { name: 'order' },
      taskQueue: { name: taskQueue },
      input: { payloads: [input!] },
      requestId: id('child'),
    });
    expect(await client().workflow.getHandle(id('child')).result()).toBe(orderResult);
    await encrypted(id('child'));
  });

  it('decodes a scheduled workflow’s input, which is bound to the id in the schedule’s action, and the previous run’s result', async () => {
    const schedule = await client().schedule.create({
      scheduleId: id('nightly'),
      spec: {},
      memo: { note: `a schedule's memo of ${CARD}` },
      action: {
        type: 'startWorkflow',
        workflowType: workflows.order,
        taskQueue,
        workflowId: id('nightly-order'),
        args: [CARD],
      },
    });
    const started = async () =>
      (await schedule.describe()).info.recentActions.map(({ action }) => action.workflow.workflowId);
    const firstRun = async () => {
      const query = `TemporalScheduledById = '${id('nightly')}'`;
      for await (const { workflowId } of client().workflow.list({ query })) return workflowId;
      return '';
    };
    // A schedule passes a run's result to the next run only if the next run had to wait.
    await schedule.trigger('BUFFER_ALL');
    await expect.poll(firstRun, { timeout: 30_000 }).not.toBe('');
    // The workflow ids of the runs differ by a timestamp in seconds.
    const firstSecond = Date.parse((await firstRun()).slice(`${id('nightly-order')}-`.length));
    await setTimeout(Math.max(0, firstSecond + 1_100 - Date.now()));
    await schedule.trigger('BUFFER_ALL');
    await expect.poll(started, { timeout: 30_000 }).toHaveLength(2);
    const [first, second] = await started();
    expect(first).toMatch(/-order-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(await client().workflow.getHandle(first!).result()).toBe(orderResult);
    expect(await client().workflow.getHandle(second!).result()).toBe(orderResult);
    const { events } = await client().workflow.getHandle(second!).fetchHistory();
    const { lastCompletionResult } = events![0]!.workflowExecutionStartedEventAttributes!;
    expect(lastCompletionResult?.payloads).toHaveLength(1);
    const { action, memo } = await schedule.describe();
    expect(action.args).toEqual([CARD]);
    expect(memo).toEqual({ note: `a schedule's memo of ${CARD}` });
    await encrypted(second!);
  });

  it('decodes an activity that another process completes with its task token', async () => {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    onHandOver = resolve;
    const handle = await client().workflow.start(workflows.handedOver, withId(id('handed-over'), CARD));
    await client().activity.complete(await promise, `completed ${CARD}`);
    expect(await handle.result()).toBe(`completed ${CARD}`);
    await encrypted(id('handed-over'));
  });

  it('encrypts and decodes failure messages, details and stack traces', async () => {
    const { cause } = await failureOf(runRefused(id('refused')));
    const failure = cause?.cause;
    expect(failure).toMatchObject({
      message: `refused ${CARD}`,
      type: 'Refused',
      details: [`details of ${CARD}`],
      cause: { message: `the issuer of ${CARD} said no` },
    });
    expect(failure).toHaveProperty('stack', expect.stringContaining('activities.ts'));
    const stored = JSON.stringify(await encrypted(id('refused')));
    expect(stored).not.toContain('activities.ts');
    expect(stored).toContain('Encoded failure');
  });

  it('decodes in a replay worker, whose contexts name neither the namespace nor the workflow', async () => {
    await runOrder(id('replayed'));
    const history = await encrypted(id('replayed'));
    const codec = stack.codec({ bindWorkflow, namespace: payments });
    const options = () => ({ workflowBundle: stack.bundle, plugins: [new KmsCodecPlugin(codec)] });
    await Worker.runReplayHistory(options(), history);
    await Worker.runReplayHistory(options(), history, 'some-other-id');
    const byOption = stack.codec({ bindWorkflow, namespace: payments, ignoreContext: true });
    const dataConverter = { payloadCodecs: [byOption] };
    await Worker.runReplayHistory({ workflowBundle: stack.bundle, dataConverter }, history);
  });

  it('decodes as the codec server does, with only the namespace as context', async () => {
    await runOrder(id('read'));
    await runRefused(id('read-refused')).catch(() => undefined);
    for (const workflowId of [id('read'), id('read-refused')]) {
      const history = await encrypted(workflowId);
      const texts = await textsByNamespace(stack.codec(), history, payments);
      expect(texts).toHaveLength(encryptedPayloadsIn(history).length);
      expect(texts.join('\n')).toContain(CARD);
    }
  });

  const callNexus = (operation: 'quote' | 'ship') =>
    client().workflow.start(workflows.caller, withId(id(operation), endpoint, operation, CARD));

  it('decodes a synchronous Nexus operation on both sides', async () => {
    const handle = await callNexus('quote');
    expect(await handle.result()).toBe(`quoted ${CARD}`);
    await encrypted(id('quote'));
  });

  if (bindWorkflow) {
    it('rejects the result of a Nexus operation that ran a workflow (a documented limit)', async () => {
      const handle = await callNexus('ship');
      await expect
        .poll(async () => failedTaskTypes(await encrypted(id('ship'))), { timeout: 40_000 })
        .toContain('KmsCodecError:workflow_mismatch');
      await handle.terminate();
    });
  } else {
    it('decodes the result of a Nexus operation that ran a workflow', async () => {
      const handle = await callNexus('ship');
      expect(await handle.result()).toBe(`the last run had ${CARD}`);
      await encrypted(id('ship'));
    });
  }
});
