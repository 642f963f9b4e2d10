/*
 * Starts writers with this project's codec on a Temporal server, an S3 server and fake-gcs-server, and checks
 * the payloads that they have written.
 */
import { createHash } from 'node:crypto';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { Storage } from '@google-cloud/storage';
import { CloudKms, headerTags, KeyRules, KmsCodec, messageHeader } from '@temporal-kms/kms-codec';
import { startGcs } from '@temporal-kms/scripts/gcs';
import { startS3 } from '@temporal-kms/scripts/s3';
import { encodingOf, historyBytes, payloadsIn, textOf } from '@temporal-kms/testing/history';
import { startStack } from '@temporal-kms/testing/stack';
import type { temporal } from '@temporalio/proto';
import proto from '@temporalio/proto';
import { expect, vi } from 'vitest';
import { isStorageReference, ObjectStorage, parseStorageReference } from '../../src/index.ts';

export const namespace = 'orders';
export const bucket = 'acme-payloads';
export const emptyBucket = 'acme-empty';
export const cryptoKey = 'projects/p/locations/global/keyRings/r/cryptoKeys/orders';
export const secret = 'card 4111 ';
/** A size above Temporal's limit of 2 MiB for a payload in a history. */
export const text = secret.repeat(300_000);

const { Payload } = proto.temporal.api.common.v1;
const { signal } = new AbortController();

export type Stores = Awaited<ReturnType<typeof startStores>>;

/** Starts the servers, and creates a codec that refuses plaintext. */
export async function startStores() {
  const stack = await startStack({ temporal: { namespaces: [namespace] }, emulator: { keys: [cryptoKey] } });
  const { closers } = stack;
  const s3 = closers.use(await startS3([bucket, emptyBucket]));
  const gcs = closers.use(await startGcs());
  await gcs.createBucket(bucket);
  const { url, region, writer } = s3;
  const s3Client = new S3Client({ region, endpoint: url, forcePathStyle: true, credentials: writer });
  closers.defer(() => Promise.resolve(s3Client.destroy()));
  const codec = closers.use(
    new KmsCodec({
      rules: new KeyRules({ [namespace]: { encrypt: cryptoKey, plaintext: 'refuse' } }),
      keyService: new CloudKms({ emulatorHost: stack.emulator.address }),
      bindWorkflow: true,
    }),
  );
  const gcsClient = new Storage({ apiEndpoint: gcs.url, projectId: 'test' });
  return { ...stack, s3, gcs, s3Client, gcsClient, codec };
}

/** Returns a bucket's objects by name. */
export const objectsIn = {
  s3: async ({ s3Client }: Stores, Bucket = bucket): Promise<Map<string, Uint8Array>> => {
    const { Contents = [] } = await s3Client.send(new ListObjectsV2Command({ Bucket }));
    const read = async (Key: string) =>
      await (await s3Client.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToByteArray();
    return new Map(await Promise.all(Contents.map(async ({ Key }) => [Key!, await read(Key!)] as const)));
  },
  gcs: async ({ gcsClient }: Stores): Promise<Map<string, Uint8Array>> => {
    const [files] = await gcsClient.bucket(bucket).getFiles();
    const read = async (name: string) => (await gcsClient.bucket(bucket).file(name).download())[0];
    return new Map(await Promise.all(files.map(async ({ name }) => [name, await read(name)] as const)));
  },
};

/**
 * Checks that the four large payloads of a workflow are messages in a bucket and are bound to the workflow,
 * and that this package can read the payloads with read-only credentials.
 */
export async function expectStored(
  stores: Stores,
  type: 's3' | 'gcs',
  workflowId: string,
  history: temporal.api.history.v1.IHistory,
): Promise<void> {
  expect(historyBytes(history).includes(secret)).toBe(false);
  const stored = await objectsIn[type](stores);
  const references = payloadsIn(history).filter(isStorageReference).map(parseStorageReference);
  // The four payloads are the workflow's input, the activity's input and result, and the workflow's result.
  expect(references).toHaveLength(4);
  expect(new Set(references.map(({ object }) => object))).toEqual(new Set(stored.keys()));
  vi.stubEnv('AWS_ACCESS_KEY_ID', stores.s3.reader.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', stores.s3.reader.secretAccessKey);
  const driverName = { s3: 'aws.s3driver', gcs: 'gcp.gcsdriver' }[type];
  const store = { type, driverName, bucket, region: stores.s3.region, endpoint: stores[type].url };
  const prefixes = [`v0/ns/${namespace}/`];
  const storage = new ObjectStorage({ namespaces: new Map([[namespace, [{ ...store, prefixes }]]]) });
  for (const reference of references) {
    expect(reference).toMatchObject({ type, bucket, driverName });
    expect(reference.object).toMatch(
      /^v0\/ns\/orders\/(wt\/keep\/wi|at\/echo\/ai)\/[^/]+\/ri\/[^/]+\/d\/sha256\//,
    );
    const bytes = stored.get(reference.object)!;
    expect(Buffer.from(bytes).includes(secret)).toBe(false);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(reference.sha256);
    expect(reference.sizeBytes).toBe(BigInt(bytes.length));
    const payload = Payload.decode(bytes);
    expect(encodingOf(payload)).toBe('binary/envelope-kms-v2');
    expect(messageHeader(payload.data)).toMatchObject({
      namespaceTag: headerTags.namespace(namespace),
      workflowTag: headerTags.workflow(namespace, workflowId),
    });
    const read = await storage.read(storage.locate(namespace, reference), { signal });
    const [decoded] = await stores.codec.decode([read], { namespace, workflowId });
    expect(JSON.parse(textOf(decoded!)) === text).toBe(true);
  }
  await storage.close();
  vi.unstubAllEnvs();
}
