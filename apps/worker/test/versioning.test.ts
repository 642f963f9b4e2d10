import { createKmsCodec } from '@temporal-kms/kms-codec';
import { KmsWorkerPlugin } from '@temporal-kms/worker-kit';
import { newCanary } from '@temporal-kms/testing/canaries';
import { rawText } from '@temporal-kms/testing/history';
import { Client, WithStartWorkflowOperation } from '@temporalio/client';
import type { VersioningBehavior } from '@temporalio/common';
import { NativeConnection, type WorkerOptions, type WorkerPlugin } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLog, installRuntime } from '../src/log.ts';
import { basket, closeBasket, putIntoBasket } from '../src/workflows/basket.ts';
import { createWorker } from '../src/worker.ts';
import { databaseCells } from './support/database.ts';
import { readEverything } from './support/history.ts';
import { compiledSamples, kmsSettings, namespace, startStack, type Stack } from './support/stack.ts';

const name = newCanary();

/** Returns a plugin that sets the worker deployment's version, as a release's worker does. */
const deployment = (
  deploymentName: string,
  buildId: string,
  defaultVersioningBehavior: VersioningBehavior,
): WorkerPlugin => ({
  name: 'worker deployment',
  configureWorker: (options: WorkerOptions): WorkerOptions => ({
    ...options,
    workerDeploymentOptions: {
      useWorkerVersioning: true,
      version: { deploymentName, buildId },
      defaultVersioningBehavior,
    },
  }),
});

/** Returns the distinct build ids that completed the workflow tasks. */
async function buildIds(client: Client, workflowId: string): Promise<Set<string>> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  return new Set(
    events?.flatMap(
      ({ workflowTaskCompletedEventAttributes: task }) => task?.deploymentVersion?.buildId ?? [],
    ),
  );
}

describe('worker versioning', () => {
  let stack: Stack;

  beforeAll(async () => {
    installRuntime(createLog('silent'));
    stack = await startStack({ encrypted: true });
  });
  afterAll(() => stack?.close());

  /** Runs a release's worker, which shares only Cloud KMS with the workers of other releases. */
  async function work(deploymentName: string, buildId: string, behavior: VersioningBehavior) {
    const codec = createKmsCodec(kmsSettings(stack.kmsAddress), { namespace });
    await codec.warm(namespace);
    const connection = await NativeConnection.connect({ address: stack.address });
    const worker = await createWorker({
      connection,
      namespace,
      taskQueue: deploymentName,
      code: await compiledSamples(),
      plugins: [deployment(deploymentName, buildId, behavior), new KmsWorkerPlugin(codec)],
      shutdownGraceSeconds: 1,
    });
    const ended = worker.run();
    return async () => {
      worker.shutdown();
      await ended;
      await connection.close();
      await codec.close();
    };
  }

  /** Makes a version current once its worker has registered the version. */
  const release = (deploymentName: string, buildId: string) =>
    vi.waitFor(
      () =>
        stack.connection.workflowService.setWorkerDeploymentCurrentVersion({
          namespace,
          deploymentName,
          buildId,
          identity: 'release',
        }),
      { timeout: 60_000, interval: 200 },
    );

  it.each([
    { behavior: 'AUTO_UPGRADE', ranOn: ['1.0', '2.0'] },
    { behavior: 'PINNED', ranOn: ['1.0'] },
  ] as const)(
    'keeps the payloads of a $behavior workflow readable while a version is released',
    async ({ behavior, ranOn }) => {
      const taskQueue = `shop-${behavior}`;
      const client = stack.clients.get('envelope-v2');
      const workflowId = `basket-${behavior}`;
      const put = (article: string) =>
        client.workflow.executeUpdateWithStart(putIntoBasket, {
          args: [`${article} for ${name}`],
          startWorkflowOperation: new WithStartWorkflowOperation(basket, {
            workflowId,
            taskQueue,
            args: [{ customer: name }],
            workflowIdConflictPolicy: 'USE_EXISTING',
          }),
        });

      const stopFirst = await work(taskQueue, '1.0', behavior);
      await release(taskQueue, '1.0');
      await put('Kettle');
      const stopSecond = await work(taskQueue, '2.0', behavior);
      await release(taskQueue, '2.0');
      let lamps = 0;
      // Temporal takes a moment before it sends tasks to the new version.
      await vi.waitFor(
        async () => {
          await put('Lamp');
          lamps += 1;
          expect(await buildIds(client, workflowId)).toEqual(new Set(ranOn));
        },
        { timeout: 60_000, interval: 200 },
      );
      const handle = client.workflow.getHandle<typeof basket>(workflowId);
      await handle.signal(closeBasket, `Wrapped for ${name}`);
      const articles = `Kettle for ${name}${`, Lamp for ${name}`.repeat(lamps)}`;
      expect(await handle.result()).toBe(`${name} takes ${articles} and asks : Wrapped for ${name}`);
      expect(await buildIds(client, workflowId)).toEqual(new Set(ranOn));
      await Promise.all([stopFirst(), stopSecond()]);
    },
  );

  it("leaves no plaintext in Temporal's database", async () => {
    const stored = await readEverything(stack.connection, { executions: 2 });
    expect(stored.length).toBeGreaterThan(20);
    expect(stored.filter(({ value }) => rawText(value).includes(name))).toEqual([]);
    expect(databaseCells(stack.dbFile).includes(name)).toBe(false);
  });
});
