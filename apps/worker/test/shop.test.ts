import { createKmsCodec, KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { Client, type WorkflowFailedError } from '@temporalio/client';
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createLog, installRuntime } from '../src/log.ts';
import { shopOrders, SLOW_COURIER } from '../src/shop/orders.ts';
import { runShop } from '../src/shop/run-shop.ts';
import { kmsSettings, namespace, startTemporalAndKms } from './support/stack.ts';

it('runs sixty orders; a third of them fail because of a bad build, and a slow courier delays two', async () => {
  installRuntime(createLog('silent'));
  const stack = await startTemporalAndKms();
  onTestFinished(() => stack.close());
  const { connection, emulator, closers } = stack;
  const codec = closers.use(createKmsCodec(kmsSettings(emulator.address), { namespace }));
  await runShop({ connection, native: await stack.native(), namespace, codec });

  const client = new Client({ connection, namespace, plugins: [new KmsCodecPlugin(codec)] });
  const count = async (buildId: string, status: string) => {
    const version = `TemporalWorkerDeploymentVersion = "shop:${buildId}"`;
    return (await client.workflow.count(`${version} AND ExecutionStatus = "${status}"`)).count;
  };
  await vi.waitFor(
    async () =>
      expect([
        await count('1.4.0', 'Completed'),
        await count('1.4.0', 'Failed'),
        await count('1.5.0', 'Completed'),
        await count('1.5.0', 'Failed'),
      ]).toEqual([22, 2, 15, 21]),
    { timeout: 150_000, interval: 200 },
  );

  const causes: Record<string, number> = {};
  for await (const { workflowId } of client.workflow.list({ query: 'ExecutionStatus = "Failed"' })) {
    const { cause }: WorkflowFailedError = await client.workflow
      .getHandle(workflowId)
      .result()
      .catch((error) => error);
    const root = cause instanceof ActivityFailure ? cause.cause : undefined;
    const type = root instanceof ApplicationFailure ? String(root.type) : 'unknown';
    causes[type] = (causes[type] ?? 0) + 1;
    expect(root?.message).toContain(workflowId);
  }
  expect(causes).toEqual({ InvalidAmount: 20, CardExpired: 2, NoHouseNumber: 1 });

  const slow = new Set<string>();
  for await (const { workflowId, startTime, closeTime } of client.workflow.list({
    query: 'ExecutionStatus = "Completed"',
  }))
    if (Number(closeTime) - Number(startTime) >= 5_000) slow.add(workflowId);
  const late = shopOrders.filter(({ input }) => input.courier === SLOW_COURIER);
  expect(late).toHaveLength(2);
  for (const { workflowId } of late) expect(slow).toContain(workflowId);
});
