/* Tests workers of Temporal's TypeScript SDK with Temporal's own drivers and this project's codec. */
import { fileURLToPath } from 'node:url';
import { ciphertextOnly, KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { runUntilStopped } from '@temporal-kms/testing/stack';
import { compileWorkflows } from '@temporal-kms/testing/workflow-code';
import { Client } from '@temporalio/client';
import { ExternalStorage, type StorageDriver } from '@temporalio/common';
import { GcsStorageDriver } from '@temporalio/external-storage-gcs';
import { S3StorageDriver } from '@temporalio/external-storage-s3';
import { AwsSdkS3StorageDriverClient } from '@temporalio/external-storage-s3-aws-sdk';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  bucket,
  emptyBucket,
  expectStored,
  namespace,
  objectsIn,
  startStores,
  type Stores,
  text,
} from './support/writers.ts';

let stores: Stores;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  stores = await startStores();
}, 300_000);
afterAll(() => stores?.close());

const s3Driver = (into: string): StorageDriver =>
  new S3StorageDriver({ client: new AwsSdkS3StorageDriverClient(stores.s3Client), bucket: into });

const gcsDriver = (): StorageDriver =>
  new GcsStorageDriver({
    client: {
      save: (to, name, data) => stores.gcsClient.bucket(to).file(name).save(data, { resumable: false }),
      download: async (from, name) => (await stores.gcsClient.bucket(from).file(name).download())[0],
    },
    bucket,
  });

/** Starts a worker with the driver. @returns a client */
async function startWorker(driver: StorageDriver): Promise<Client> {
  const { codec, connection, closers } = stores;
  const dataConverter = { externalStorage: new ExternalStorage({ drivers: [driver] }) };
  const common = { namespace, plugins: [new KmsCodecPlugin(codec)], dataConverter };
  const worker = await Worker.create({
    ...common,
    connection: await stores.native(),
    taskQueue: driver.name,
    workflowBundle: await compileWorkflows(new URL('support/workflows.ts', import.meta.url), {
      failureConverterPath: fileURLToPath(import.meta.resolve('@temporal-kms/kms-codec/failure-converter')),
    }),
    activities: { echo: (given: string) => Promise.resolve(given) },
  });
  runUntilStopped(worker, closers);
  return new Client({ ...common, connection });
}

it.each(['s3', 'gcs'] as const)(
  'Temporal’s driver for %s stores only encrypted payloads that are bound to their workflow and that this package can read',
  async (type) => {
    const driver = type === 's3' ? s3Driver(bucket) : gcsDriver();
    const client = await startWorker(ciphertextOnly(driver, stores.codec));
    const workflowId = `order/1 ü ${type}`;
    const handle = await client.workflow.start('keep', { workflowId, taskQueue: driver.name, args: [text] });
    expect((await handle.result()) === text).toBe(true);
    await expectStored(stores, type, workflowId, await handle.fetchHistory());
  },
  120_000,
);

it('a client without the codec cannot store payloads', async () => {
  const drivers = [ciphertextOnly(s3Driver(emptyBucket), stores.codec)];
  const dataConverter = { externalStorage: new ExternalStorage({ drivers }) };
  const client = new Client({ connection: stores.connection, namespace, dataConverter });
  const started = client.workflow.start('keep', { workflowId: 'w', taskQueue: 'none', args: [text] });
  await expect(started).rejects.toMatchObject({ cause: { code: 'format_not_allowed' } });
  await expect(client.workflow.getHandle('w').describe()).rejects.toThrow('not found');
  expect(await objectsIn.s3(stores, emptyBucket)).toEqual(new Map());
});
