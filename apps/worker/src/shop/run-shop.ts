import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KmsCodecPlugin, type KmsCodec } from '@temporal-kms/kms-codec';
import {
  Client,
  type Connection,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
} from '@temporalio/client';
import { bundleWorkflowCode, type NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { shopActivities, shopBuilds } from './builds.ts';
import type { ShopOrder } from './orders.ts';
import { webOrder } from './web-order.ts';

/** The name of the worker deployment, and of its task queue. */
const DEPLOYMENT = 'shop';
/** Number of orders that run at the same time. The number is low, so that orders do not wait in the queue. */
const ORDERS_AT_ONCE = 6;

export interface ShopDeps {
  readonly connection: Connection;
  readonly native: NativeConnection;
  readonly namespace: string;
  readonly codec: KmsCodec;
}

/** Runs the orders of the sample shop on one release after another. Does not repeat orders that exist. */
export async function runShop({ connection, native, namespace, codec }: ShopDeps): Promise<void> {
  const plugins = [new KmsCodecPlugin(codec)];
  const client = new Client({ connection, namespace, plugins });
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: join(import.meta.dirname, 'web-order.ts'),
    logger: Runtime.instance().logger,
    plugins,
  });

  for (const build of shopBuilds) {
    const version = { deploymentName: DEPLOYMENT, buildId: build.buildId };
    const worker = await Worker.create({
      connection: native,
      namespace,
      taskQueue: DEPLOYMENT,
      activities: shopActivities(build),
      workflowBundle,
      plugins,
      workerDeploymentOptions: { useWorkerVersioning: true, version, defaultVersioningBehavior: 'PINNED' },
    });
    await worker.runUntil(async () => {
      await makeCurrent(client, version);

      const waiting = [...build.orders];
      const takeOrders = async () => {
        for (let next = waiting.shift(); next; next = waiting.shift()) await order(client, next);
      };
      await Promise.all(Array.from({ length: ORDERS_AT_ONCE }, takeOrders));
    });
  }
}

/** Sends new workflows to a version, once its worker has registered the version. */
async function makeCurrent(
  { workflowService, options: { namespace } }: Client,
  version: { readonly deploymentName: string; readonly buildId: string },
): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await workflowService.setWorkerDeploymentCurrentVersion({ namespace, ...version, identity: 'release' });
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}

/** Places an order unless it exists, and waits until it has ended. */
async function order({ workflow }: Client, { workflowId, input }: ShopOrder): Promise<void> {
  const handle = await workflow
    .start(webOrder, {
      workflowId,
      taskQueue: DEPLOYMENT,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      args: [input],
    })
    .catch((error: unknown) => {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return workflow.getHandle(workflowId);
      throw error;
    });
  try {
    await handle.result();
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
  }
}
