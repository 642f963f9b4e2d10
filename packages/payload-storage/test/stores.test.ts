import { createHash } from 'node:crypto';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type GcsServer, startGcs } from '@temporal-kms/scripts/gcs';
import { type S3Credentials, type S3Server, startS3 } from '@temporal-kms/scripts/s3';
import proto from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ObjectStorage, parseStorageReference, type StorageType } from '../src/index.ts';
import { withData } from './support/references.ts';

const signal = new AbortController().signal;
const BUCKET = 'acme-payloads';
const payload = { metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.alloc(300_000, 'x') };
const bytes = Buffer.from(proto.temporal.api.common.v1.Payload.encode(payload).finish());
const sha256 = createHash('sha256').update(bytes).digest('hex');
/** The workflow id `a/b c+~é`, as Temporal's drivers for S3 and for Cloud Storage escape it. */
const ids: Readonly<Record<string, string>> = { s3: 'a%2Fb%20c%2B%7E%C3%A9', gcs: 'a%2Fb c+~é' };
const nameOf = (type: string, namespace = 'orders') =>
  `v0/ns/${namespace}/wt/Order/wi/${ids[type]}/ri/run/d/sha256/${sha256}`;

let s3: S3Server;
let gcs: GcsServer;
beforeAll(async () => {
  [s3, gcs] = await Promise.all([startS3([BUCKET]), startGcs()]);
  await gcs.createBucket(BUCKET);
  const { url: endpoint, region, writer: credentials } = s3;
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  for (const namespace of ['orders', 'payments']) {
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: nameOf('s3', namespace), Body: bytes }));
    const name = encodeURIComponent(nameOf('gcs', namespace));
    const url = `${gcs.url}/upload/storage/v1/b/${BUCKET}/o?uploadType=media&name=${name}`;
    expect((await fetch(url, { method: 'POST', body: bytes })).ok).toBe(true);
  }
  client.destroy();
}, 300_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all([s3.close(), gcs.close()]);
});

function connect(type: StorageType, { bucket = BUCKET, credentials = s3.reader }: Connection = {}) {
  vi.stubEnv('AWS_ACCESS_KEY_ID', credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', credentials.secretAccessKey);
  const endpoint = type === 's3' ? s3.url : gcs.url;
  const store = { type, bucket, driverName: 'd', prefixes: ['v0/ns/orders/'], region: s3.region, endpoint };
  const storage = new ObjectStorage({ namespaces: new Map([['orders', [store]]]) });
  const locate = (object = nameOf(type)) =>
    storage.locate('orders', { driverName: 'd', type, bucket, object, sha256 });
  return { storage, locate };
}

interface Connection {
  readonly bucket?: string;
  readonly credentials?: S3Credentials;
}

describe.each(['s3', 'gcs'] as const)('a bucket of a real server for %s', (type) => {
  it('lets an identity with read-only access list the bucket, and read whole objects and parts of objects', async () => {
    const { storage, locate } = connect(type);
    const object = locate();
    expect((await storage.read(object, { signal })).data).toEqual(payload.data);
    expect(await storage.readStart(object, 100, { signal })).toEqual({
      bytes: bytes.subarray(0, 100),
      objectSize: bytes.length,
    });
    const listed: unknown[] = [];
    for await (const { object: found, sizeBytes, modified } of storage.list('orders', { signal })) {
      listed.push([found.name, sizeBytes]);
      expect(Date.now() - modified.getTime()).toBeLessThan(600_000);
      expect((await storage.read(found, { signal })).data).toEqual(payload.data);
    }
    expect(listed).toEqual([[object.name, bytes.length]]);
    await storage.close();
  });

  it('reports an object that it does not contain as storage_not_found', async () => {
    const { storage, locate } = connect(type);
    const gone = locate(nameOf(type).replace('/ri/run/', '/ri/other/'));
    await expect(storage.read(gone, { signal })).rejects.toMatchObject({ code: 'storage_not_found' });
    await expect(storage.readStart(gone, 9, { signal })).rejects.toMatchObject({ code: 'storage_not_found' });
    await storage.close();
  });

  it('is reported as storage_unavailable if it does not exist', async () => {
    const { storage } = connect(type, { bucket: 'acme-missing' });
    await expect(storage.list('orders', { signal }).next()).rejects.toMatchObject({
      code: 'storage_unavailable',
    });
    await storage.close();
  });
});

it('the claims of Go’s driver for Cloud Storage can be read, although they look like claims for S3', async () => {
  const { storage, locate } = connect('gcs');
  const claimData = { bucket: BUCKET, key: nameOf('gcs'), hash_algorithm: 'sha256', hash_value: sha256 };
  const reference = parseStorageReference(withData(JSON.stringify({ driverName: 'd', claimData })));
  const object = storage.locate('orders', reference);
  expect(object.name).toBe(locate().name);
  expect((await storage.read(object, { signal })).data).toEqual(payload.data);
  await storage.close();
});

it('an S3 bucket refuses a wrong secret key', async () => {
  const credentials = { ...s3.reader, secretAccessKey: 'wrong' };
  const { storage, locate } = connect('s3', { credentials });
  await expect(storage.read(locate(), { signal })).rejects.toMatchObject({ code: 'storage_unavailable' });
  await expect(storage.list('orders', { signal }).next()).rejects.toMatchObject({
    code: 'storage_unavailable',
  });
  await storage.close();
});
