import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ObjectStorage, readStorageFile } from '@temporal-kms/payload-storage';
import { DirectoryDriver } from '@temporal-kms/payload-storage/directory-driver';
import type { Payload } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { temporaryFolder } from './cli.ts';

const PayloadMessage = temporal.api.common.v1.Payload;
const DRIVER = 'temporal-kms.directory';
export const BUCKET = 'payloads';

/** Returns the bytes that a driver stores. */
export const stored = (payload: Payload): Buffer => Buffer.from(PayloadMessage.encode(payload).finish());

export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export interface Referred {
  readonly object: string;
  readonly bytes: Uint8Array;
  readonly reference: Payload;
}

/**
 * Returns a reference in the form that Temporal's SDKs write.
 * @param size null if the reference states no size
 */
export function referenceTo(
  { object, bytes, size = bytes.length }: { object: string; bytes: Uint8Array; size?: number | null },
  bucket = BUCKET,
): Payload {
  const claimData = { bucket, file: object, hashAlgorithm: 'sha256', hashValue: hashOf(bytes) };
  return {
    metadata: {
      encoding: Buffer.from('json/protobuf'),
      messageType: Buffer.from('temporal.api.sdk.v1.ExternalStorageReference'),
    },
    data: Buffer.from(JSON.stringify({ driverName: DRIVER, claimData })),
    ...(size !== null && {
      externalPayloads: [PayloadMessage.ExternalPayloadDetails.fromObject({ sizeBytes: size })],
    }),
  };
}

/**
 * Creates a directory with payloads in the form that `DirectoryDriver` stores, and the storage file that
 * permits reading them.
 */
export async function startStore(...namespaces: string[]) {
  const folder = await temporaryFolder();
  const path = join(folder, 'objects');
  await mkdir(path);
  const file = join(folder, 'storage.yaml');
  const store = { type: 'directory', bucket: BUCKET, path };
  const entries = Object.fromEntries(namespaces.map((name) => [name, [store]]));
  await writeFile(file, `${JSON.stringify({ namespaces: entries })}\n...\n`, { mode: 0o600 });
  const [first = ''] = namespaces;
  const driver = new DirectoryDriver({ path, bucket: BUCKET });
  return {
    path,
    file,
    open: () => new ObjectStorage(readStorageFile(file)),
    /** Stores a payload for a run. @param bytes replace the payload's bytes, under the same object name */
    async store(
      payload: Payload,
      {
        namespace = first,
        workflowId = 'w',
        runId = 'r',
        bytes,
      }: { namespace?: string; workflowId?: string; runId?: string; bytes?: Uint8Array } = {},
    ): Promise<Referred> {
      const target = { kind: 'workflow', namespace, type: 't', id: workflowId, runId } as const;
      const [claim] = await driver.store({ target }, [payload]);
      const object = claim?.claimData['file'] ?? '';
      if (bytes !== undefined) await writeFile(join(path, object), bytes);
      return { object, bytes: stored(payload), reference: referenceTo({ object, bytes: stored(payload) }) };
    },
    remove: ({ object }: Pick<Referred, 'object'>) => rm(join(path, object)),
  };
}
