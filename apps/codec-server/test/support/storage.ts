import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExternalStorage } from '@temporalio/common';
import proto from '@temporalio/proto';
import { ObjectStorage, readStorageFile, type StoredObject } from '@temporal-kms/payload-storage';
import { DirectoryDriver } from '@temporal-kms/payload-storage/directory-driver';
import type { ServedStorage } from '../../src/storage/retrieval.ts';
import type { Payload } from './stack.ts';

const MESSAGE_TYPE = 'temporal.api.sdk.v1.ExternalStorageReference';

/** Returns a reference in the form that the SDKs write. */
export const referenceTo = (claimData: object, sizeBytes?: number, driverName?: string): Payload => ({
  metadata: { encoding: Buffer.from('json/protobuf'), messageType: Buffer.from(MESSAGE_TYPE) },
  data: Buffer.from(JSON.stringify({ driverName: driverName ?? 'temporal-kms.directory', claimData })),
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- protobufjs accepts a number for a 64-bit integer
  ...(sizeBytes !== undefined && { externalPayloads: [{ sizeBytes }] as unknown as never }),
});

/**
 * Returns external storage in a directory that the namespace may read, and the data converter of a client
 * that stores large payloads there.
 */
export function createStoredPayloads(namespace: string) {
  const path = mkdtempSync(join(tmpdir(), 'payloads-'));
  const driver = new DirectoryDriver({ path, bucket: 'acme-payloads' });
  const prefixes = [`v0/ns/${namespace}/`];
  const store = {
    type: 'directory',
    driverName: driver.name,
    bucket: 'acme-payloads',
    prefixes,
    path,
  } as const;
  return {
    dataConverter: { externalStorage: new ExternalStorage({ drivers: [driver] }) },
    storage: { objects: new ObjectStorage({ namespaces: new Map([[namespace, [store]]]) }) },
  };
}

export interface TestStorage {
  readonly storage: ServedStorage;
  /** The storage file. */
  readonly file: string;
  /** The names of the objects that the server began to read. */
  readonly reads: string[];
  /** Number of reads in flight, and the maximum so far. */
  readonly inFlight: { now: number; most: number };
  /** Stores a payload, and returns the reference to it. */
  put(payload: Payload, options?: PutOptions): Promise<Payload>;
  /** Returns the path of the file that contains the reference's object. */
  fileOf(reference: Payload): string;
}

interface PutOptions {
  readonly namespace?: string;
  readonly bucket?: string;
  readonly states?: 'size' | 'nothing';
}

/**
 * Creates a directory from which the namespaces `payments`, `orders` and `cards` may read, each from its own
 * part.
 * @param before called before each read
 */
export function createStorage(
  before: (object: StoredObject, signal: AbortSignal) => Promise<void> | void = () => undefined,
): TestStorage {
  const folder = mkdtempSync(join(tmpdir(), 'storage-'));
  const file = join(folder, 'storage.yaml');
  const store = { type: 'directory', bucket: 'acme-payloads', path: '.' };
  writeFileSync(
    file,
    `${JSON.stringify({ namespaces: { payments: [store], orders: [store], cards: [store] } })}\n...\n`,
    { mode: 0o600 },
  );
  const objects = new ObjectStorage(readStorageFile(file));
  const reads: string[] = [];
  const inFlight = { now: 0, most: 0 };
  return {
    file,
    reads,
    inFlight,
    storage: {
      objects: {
        locate: (...args) => objects.locate(...args),
        readStart: (...args) => objects.readStart(...args),
        read: async (object, options) => {
          reads.push(object.object);
          inFlight.now += 1;
          inFlight.most = Math.max(inFlight.most, inFlight.now);
          try {
            await before(object, options.signal);
            return await objects.read(object, options);
          } finally {
            inFlight.now -= 1;
          }
        },
      },
    },
    put: async (payload, { namespace = 'payments', bucket = store.bucket, states = 'size' } = {}) => {
      const driver = new DirectoryDriver({ path: folder, bucket });
      const target = { kind: 'workflow', namespace, type: 'order', id: 'w', runId: 'r' } as const;
      const [claim] = await driver.store({ target }, [payload]);
      if (claim === undefined) throw new RangeError('The driver returned no claim.');
      return referenceTo(claim.claimData, states === 'size' ? sizeOf(payload) : undefined);
    },
    fileOf: ({ data }) => join(folder, JSON.parse(Buffer.from(data ?? []).toString()).claimData.file),
  };
}

const sizeOf = (payload: Payload): number =>
  proto.temporal.api.common.v1.Payload.encode(payload).finish().length;
