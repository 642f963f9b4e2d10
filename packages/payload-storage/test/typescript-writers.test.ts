/*
 * Workers of Temporal's TypeScript SDK with Temporal's own drivers and this project's codec, which write to an
 * S3 server and to fake-gcs-server.
 */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { Storage } from '@google-cloud/storage';
import {
  ciphertextOnly,
  CloudKms,
  headerTags,
  KeyRules,
  KmsCodec,
  KmsCodecPlugin,
  messageHeader,
} from '@temporal-kms/kms-codec';
import { type GcsServer, startGcs } from '@temporal-kms/scripts/gcs';
import { type S3Server, startS3 } from '@temporal-kms/scripts/s3';
import { encodingOf, historyBytes, payloadsIn, textOf } from '@temporal-kms/testing/history';
import { Closers, runUntilStopped, startStack } from '@temporal-kms/testing/stack';
import { compileWorkflows, type WorkflowCode } from '@temporal-kms/testing/workflow-code';
import { Client } from '@temporalio/client';
import { ExternalStorage, type StorageDriver } from '@temporalio/common';
import { GcsStorageDriver, type GcsStorageDriverClient } from '@temporalio/external-storage-gcs';
import { S3StorageDriver } from '@temporalio/external-storage-s3';
import { AwsSdkS3StorageDriverClient } from '@temporalio/external-storage-s3-aws-sdk';
import proto from '@temporalio/proto';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { isStorageReference, ObjectStorage, parseStorageReference, type Store } from '../src/index.ts';

const namespace = 'orders';
const payloadBucket = 'acme-payloads';
const emptyBucket = 'acme-empty';
const cryptoKey = 'projects/p/locations/global/keyRings/r/cryptoKeys/orders';
/** Above Temporal's limit of 2 MiB for a payload in a history. */
const text = 'card 4111 '.repeat(300_000);
const { signal } = new AbortController();
const { Payload } = proto.temporal.api.common.v1;

interface Writer {
  readonly driver: StorageDriver;
  /** Returns the bucket's objects by name. */
  readonly objects: () => Promise<Map<string, Uint8Array>>;
  readonly endpoint: string;
}

const closers = new Closers();
let stack: Awaited<ReturnType<typeof startStack>>;
let s3: S3Server;
let gcs: GcsServer;
let codec: KmsCodec;
let bundle: WorkflowCode;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  stack = await startStack({ temporal: { namespaces: [namespace] }, emulator: { keys: [cryptoKey] } });
  closers.use(stack);
  s3 = closers.use(await startS3([payloadBucket, emptyBucket]));
  gcs = closers.use(await startGcs());
  await gcs.createBucket(payloadBucket);
  codec = closers.use(
    new KmsCodec({
      rules: new KeyRules({ [namespace]: { encrypt: cryptoKey, plaintext: 'refuse' } }),
      keyService: new CloudKms({ emulatorHost: stack.emulator.address }),
      bindWorkflow: true,
    }),
  );
  bundle = await compileWorkflows(new URL('support/workflows.ts', import.meta.url), {
    failureConverterPath: fileURLToPath(import.meta.resolve('@temporal-kms/kms-codec/failure-converter')),
  });
}, 300_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await closers.close();
});

function onS3(bucket = payloadBucket): Writer {
  const { url, region, writer } = s3;
  const client = new S3Client({ region, endpoint: url, forcePathStyle: true, credentials: writer });
  closers.defer(() => Promise.resolve(client.destroy()));
  const read = async (Key: string) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
    return await Body!.transformToByteArray();
  };
  return {
    endpoint: url,
    driver: new S3StorageDriver({ client: new AwsSdkS3StorageDriverClient(client), bucket }),
    objects: async () => {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
      return new Map(await Promise.all(Contents.map(async ({ Key }) => [Key!, await read(Key!)] as const)));
    },
  };
}

function onGcs(bucket = payloadBucket): Writer {
  const storage = new Storage({ apiEndpoint: gcs.url, projectId: 'test' });
  const read = async (from: string, name: string) => (await storage.bucket(from).file(name).download())[0];
  const client: GcsStorageDriverClient = {
    save: (to, name, data) => storage.bucket(to).file(name).save(data, { resumable: false }),
    download: read,
  };
  return {
    endpoint: gcs.url,
    driver: new GcsStorageDriver({ client, bucket }),
    objects: async () => {
      const [files] = await storage.bucket(bucket).getFiles();
      return new Map(
        await Promise.all(files.map(async ({ name }) => [name, await read(bucket, name)] as const)),
      );
    },
  };
}

/** Opens the bucket as a codec server does: with the credentials of a reader. */
function openStorage(store: Pick<Store, 'type' | 'endpoint' | 'driverName'>): ObjectStorage {
  vi.stubEnv('AWS_ACCESS_KEY_ID', s3.reader.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', s3.reader.secretAccessKey);
  const { region } = s3;
  const part = { ...store, region, bucket: payloadBucket, prefixes: [`v0/ns/${namespace}/`] };
  return closers.use(new ObjectStorage({ namespaces: new Map([[namespace, [part]]]) }));
}

/** Starts a worker with the driver. @returns a client */
async function startWorker(driver: StorageDriver): Promise<Client> {
  const dataConverter = { externalStorage: new ExternalStorage({ drivers: [driver] }) };
  const worker = await Worker.create({
    connection: await stack.native(),
    namespace,
    taskQueue: driver.name,
    workflowBundle: bundle,
    activities: { echo: (given: string) => Promise.resolve(given) },
    plugins: [new KmsCodecPlugin(codec)],
    dataConverter,
  });
  runUntilStopped(worker, closers);
  return new Client({
    connection: stack.connection,
    namespace,
    plugins: [new KmsCodecPlugin(codec)],
    dataConverter,
  });
}

describe.each([
  ['S3', 's3', onS3],
  ['Cloud Storage', 'gcs', onGcs],
] as const)('Temporal’s driver for %s', (_, type, open) => {
  it('stores only encrypted payloads, bound to their workflow, which this package reads', async () => {
    const { driver, objects, endpoint } = open();
    const client = await startWorker(ciphertextOnly(driver, codec));
    const handle = await client.workflow.start('keep', {
      workflowId: `order/1 ü ${type}`,
      taskQueue: driver.name,
      args: [text],
    });
    expect((await handle.result()) === text).toBe(true);

    const history = await handle.fetchHistory();
    expect(historyBytes(history).includes('card 4111')).toBe(false);
    const stored = await objects();
    const references = payloadsIn(history).filter(isStorageReference).map(parseStorageReference);
    // The workflow's input, the activity's input and result, and the workflow's result.
    expect(references).toHaveLength(4);
    expect(new Set(references.map(({ object }) => object))).toEqual(new Set(stored.keys()));
    const storage = openStorage({ type, endpoint, driverName: driver.name });
    for (const reference of references) {
      expect(reference).toMatchObject({ type, bucket: payloadBucket, driverName: driver.name });
      expect(reference.object).toMatch(
        /^v0\/ns\/orders\/(wt\/keep\/wi|at\/echo\/ai)\/[^/]+\/ri\/[^/]+\/d\/sha256\//,
      );
      const bytes = stored.get(reference.object)!;
      expect(Buffer.from(bytes).includes('card 4111')).toBe(false);
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(reference.sha256);
      expect(reference.sizeBytes).toBe(BigInt(bytes.length));
      const payload = Payload.decode(bytes);
      expect(encodingOf(payload)).toBe('binary/envelope-kms-v2');
      expect(messageHeader(payload.data)).toMatchObject({
        namespaceTag: headerTags.namespace(namespace),
        workflowTag: headerTags.workflow(namespace, handle.workflowId),
      });
      const read = await storage.read(storage.locate(namespace, reference), { signal });
      const [decoded] = await codec.decode([read], { namespace, workflowId: handle.workflowId });
      expect(JSON.parse(textOf(decoded!)) === text).toBe(true);
    }
  }, 120_000);
});

it('a client without the codec stores nothing', async () => {
  const { driver, objects } = onS3(emptyBucket);
  const externalStorage = new ExternalStorage({ drivers: [ciphertextOnly(driver, codec)] });
  const client = new Client({ connection: stack.connection, namespace, dataConverter: { externalStorage } });
  const started = client.workflow.start('keep', { workflowId: 'w', taskQueue: 'none', args: [text] });
  await expect(started).rejects.toMatchObject({ cause: { code: 'format_not_allowed' } });
  await expect(client.workflow.getHandle('w').describe()).rejects.toThrow('not found');
  expect(await objects()).toEqual(new Map());
});
