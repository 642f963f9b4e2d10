import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { Store } from '@temporal-kms/payload-storage';
import { DirectoryDriver } from '@temporal-kms/payload-storage/directory-driver';
import { startS3 } from '@temporal-kms/scripts/s3';
import { type Payload, type StorageDriver, StorageDriverClaim } from '@temporalio/common';
import proto from '@temporalio/proto';
import { NAMESPACE } from './bundle.ts';

const BUCKET = 'bench';

/** A store in which an application keeps its payloads, and from which the codec server reads them. */
export interface BenchStore {
  readonly driver: StorageDriver;
  /** The store's entry in the codec server's storage file. */
  readonly store: Partial<Store>;
  /** The environment variables with the codec server's credentials. */
  readonly env: Readonly<Record<string, string>>;
  /** Returns the names of the stored objects. */
  readonly names: () => Promise<readonly string[]>;
  /** Reads an object with the store's plain client. */
  readonly read: (name: string) => Promise<Uint8Array>;
  readonly close: () => Promise<void>;
}

export const benchStores: Readonly<Record<string, (directory: string) => Promise<BenchStore>>> = {
  directory: async (directory) => {
    const path = join(directory, 'objects');
    return {
      driver: new DirectoryDriver({ path, bucket: BUCKET }),
      store: { type: 'directory', bucket: BUCKET, path },
      env: {},
      names: async () => {
        const entries = await readdir(path, { recursive: true, withFileTypes: true });
        return entries.filter((one) => one.isFile()).map(({ parentPath, name }) => join(parentPath, name));
      },
      read: (name) => readFile(name),
      close: async () => undefined,
    };
  },
  s3: async () => {
    const s3 = await startS3([BUCKET]);
    const { url: endpoint, region, writer, reader } = s3;
    const client = new S3Client({ endpoint, region, credentials: writer, forcePathStyle: true });
    const names: string[] = [];
    return {
      driver: {
        name: 'aws.s3driver',
        type: 'aws.s3driver',
        store: async (_, payloads) =>
          await Promise.all(
            payloads.map(async (payload) => {
              const { key, bytes, hashValue } = objectOf(payload);
              await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: bytes }));
              names.push(key);
              return new StorageDriverClaim({ bucket: BUCKET, key, hashAlgorithm: 'sha256', hashValue });
            }),
          ),
        retrieve: () => Promise.reject(new Error('The benchmark reads through the codec server.')),
      },
      store: { type: 's3', bucket: BUCKET, region, endpoint },
      env: { AWS_ACCESS_KEY_ID: reader.accessKeyId, AWS_SECRET_ACCESS_KEY: reader.secretAccessKey },
      names: async () => names,
      read: async (name) => {
        const { Body: body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: name }));
        return (await body?.transformToByteArray()) ?? new Uint8Array();
      },
      close: async () => {
        client.destroy();
        await s3.close();
      },
    };
  },
};

function objectOf(payload: Payload) {
  const bytes = proto.temporal.api.common.v1.Payload.encode(payload).finish();
  const hashValue = createHash('sha256').update(bytes).digest('hex');
  return { bytes, hashValue, key: `v0/ns/${NAMESPACE}/d/sha256/${hashValue}` };
}
