import { startWorkflow, WorkflowRunOperationHandler } from '@temporalio/nexus';
import { serviceHandler } from 'nexus-rpc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyRules, type KmsCodecOptions, type Observer } from '../../src/index.ts';
import { CARD, encryptedHistory, failedTaskTypes } from './support/history.ts';
import { shipping } from './support/service.ts';
import { payments, rules, shippingNamespace, type Stack, startStack } from './support/stack.ts';
import * as workflows from './support/workflows.ts';

const handler = serviceHandler(shipping, {
  quote: (_context, card) => Promise.resolve(`quoted ${card}`),
  ship: new WorkflowRunOperationHandler<string, string>((context, card) =>
    startWorkflow(context, workflows.countdown, { args: [1, card], workflowId: `ship-${context.requestId}` }),
  ),
});

type Refused = Parameters<NonNullable<Observer['refused']>>[0];

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

/** Returns rules in which a namespace accepts only the namespaces that `accepts` specifies for it. */
const accepting = (accepts: Partial<Record<string, readonly string[]>>): KeyRules =>
  new KeyRules(
    Object.fromEntries(
      Object.entries(rules).map(([name, rule]) => [name, { ...rule, accepts: accepts[name] ?? [] }]),
    ),
  );

/**
 * Starts an endpoint whose handler is in the given namespace, and a caller in `payments`. Each side has a
 * separate log.
 */
async function connect(queue: string, handlerNamespace: string, keyRules: KeyRules) {
  await stack.connection.operatorService.createNexusEndpoint({
    spec: { name: queue, target: { worker: { namespace: handlerNamespace, taskQueue: `${queue}-handler` } } },
  });
  const logs: Record<'caller' | 'handler', Refused[]> = { caller: [], handler: [] };
  const codec = (side: 'caller' | 'handler') => {
    const options: Partial<KmsCodecOptions> = {
      rules: keyRules,
      observer: { refused: (event) => void logs[side].push(event) },
    };
    return stack.codec(options);
  };
  const common = { workflowBundle: stack.bundle };
  const workers = await Promise.all([
    stack.work({ ...common, codec: codec('caller'), taskQueue: queue }),
    stack.work({
      ...common,
      codec: codec('handler'),
      namespace: handlerNamespace,
      taskQueue: `${queue}-handler`,
      nexusServices: [handler],
    }),
  ]);
  const client = stack.client(payments, codec('caller'));
  const call = (operation: 'quote' | 'ship') =>
    client.workflow.start(workflows.caller, {
      taskQueue: queue,
      workflowId: `${queue}-${operation}`,
      args: [queue, operation, CARD],
    });
  return { client, call, logs, stop: () => Promise.all(workers.map((worker) => worker.stop())) };
}

describe('a Nexus call within one namespace', () => {
  it('needs no accepts setting, whether the operation is synchronous or runs a workflow', async () => {
    const { client, call, logs, stop } = await connect('within', payments, accepting({}));
    expect(await (await call('quote')).result()).toBe(`quoted ${CARD}`);
    expect(await (await call('ship')).result()).toBe(`the last run had ${CARD}`);
    await encryptedHistory(client, 'within-quote');
    await encryptedHistory(client, 'within-ship');
    expect(logs).toEqual({ caller: [], handler: [] });
    await stop();
  });
});

describe('a Nexus call to a namespace that does not accept the caller', () => {
  it("fails with a message that names the caller's namespace and the setting accepts, and completes once the rule accepts the caller", async () => {
    const { client, call, logs, stop } = await connect('unaccepted', shippingNamespace, accepting({}));
    const handle = await call('quote');
    const lastFailure = async () => {
      const { raw } = await handle.describe();
      return raw.pendingNexusOperations?.[0]?.lastAttemptFailure;
    };
    await expect.poll(lastFailure, { timeout: 40_000 }).toBeTruthy();
    const message = expect.stringMatching(
      /namespace payments,.* add payments to accepts in the rule for shipping/,
    );
    expect(await lastFailure()).toMatchObject({
      cause: {
        message,
        applicationFailureInfo: { type: 'KmsCodecError:namespace_mismatch', nonRetryable: false },
      },
    });
    expect(logs.handler[0]).toMatchObject({
      namespace: shippingNamespace,
      code: 'namespace_mismatch',
      message,
    });
    expect(JSON.stringify(await lastFailure())).not.toMatch(/\.[jt]s:\d+/);
    await stop();
    const accepts = accepting({ [shippingNamespace]: [payments], [payments]: [shippingNamespace] });
    const codec = stack.codec({ rules: accepts });
    await stack.work({ codec, taskQueue: 'unaccepted', workflowBundle: stack.bundle });
    await stack.work({
      codec,
      namespace: shippingNamespace,
      taskQueue: 'unaccepted-handler',
      workflowBundle: stack.bundle,
      nexusServices: [handler],
    });
    expect(await handle.result()).toBe(`quoted ${CARD}`);
    await encryptedHistory(client, handle.workflowId);
  }, 120_000);
});

describe('a Nexus caller that does not accept the handler', () => {
  it("logs the handler's namespace and the setting accepts, and reads the result once its rule accepts the handler", async () => {
    const oneWay = accepting({ [shippingNamespace]: [payments] });
    const { client, call, logs, stop } = await connect('oneway', shippingNamespace, oneWay);
    const handle = await call('quote');
    await expect
      .poll(async () => failedTaskTypes(await encryptedHistory(client, handle.workflowId)), {
        timeout: 40_000,
      })
      .toContain('KmsCodecError:namespace_mismatch');
    expect(logs.handler).toEqual([]);
    const message = expect.stringMatching(
      /namespace shipping,.* add shipping to accepts in the rule for payments/,
    );
    expect(logs.caller[0]).toMatchObject({ namespace: payments, message });
    await stop();
    await stack.work({ codec: stack.codec(), taskQueue: 'oneway', workflowBundle: stack.bundle });
    expect(await handle.result()).toBe(`quoted ${CARD}`);
  }, 120_000);
});
