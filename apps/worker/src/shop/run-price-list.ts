import { join } from 'node:path';
import { ciphertextOnly, KmsCodecPlugin, type KmsCodec } from '@temporal-kms/kms-codec';
import { DirectoryDriver } from '@temporal-kms/payload-storage/directory-driver';
import { Client, type Connection, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { ExternalStorage } from '@temporalio/common';
import { bundleWorkflowCode, type NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { activities } from '../activities.ts';
import { catalogue } from '../starter/catalogue.ts';

const NAMESPACE = 'default';
const TASK_QUEUE = 'price-lists';
/** A price list with this number of articles takes 12 MB. */
const ARTICLES = 265_000;

export interface PriceListDeps {
  readonly connection: Connection;
  readonly native: NativeConnection;
  readonly codec: KmsCodec;
  /** The directory for large payloads, and its name in references. */
  readonly storage: { readonly path: string; readonly bucket: string };
}

/** Runs a workflow whose large payloads are in external storage, unless the workflow has already ended. */
export async function runPriceList({ connection, native, codec, storage }: PriceListDeps): Promise<void> {
  const plugins = [new KmsCodecPlugin(codec)];
  const driver = ciphertextOnly(new DirectoryDriver(storage), codec);
  const dataConverter = { externalStorage: new ExternalStorage({ drivers: [driver] }) };
  const client = new Client({ connection, namespace: NAMESPACE, plugins, dataConverter });
  const workflowId = 'price-list-9701';
  const input = { articles: ARTICLES };
  const handle = await catalogue['price-list']
    .start(client, { workflowId, taskQueue: TASK_QUEUE, input })
    .catch((error: unknown) => {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return client.workflow.getHandle(workflowId);
      throw error;
    });
  if ((await handle.describe()).status.name !== 'RUNNING') return;
  const worker = await Worker.create({
    connection: native,
    namespace: NAMESPACE,
    taskQueue: TASK_QUEUE,
    activities,
    workflowBundle: await bundleWorkflowCode({
      workflowsPath: join(import.meta.dirname, '..', 'workflows', 'price-list.ts'),
      logger: Runtime.instance().logger,
      plugins,
    }),
    plugins,
    dataConverter,
  });
  await worker.runUntil(handle.result());
}
