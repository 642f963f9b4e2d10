import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGcs } from '@temporal-kms/scripts/gcs';
import { startGcsProxy } from './gcs-proxy.ts';
import type { Environment } from './settings.ts';

/** How processes share branch keys: not at all, in a directory, or in a bucket of fake-gcs-server. */
export const storeKinds = ['none', 'file', 'gs'] as const;
export type StoreKind = (typeof storeKinds)[number];

export interface OpenStore {
  /** Environment of the processes that use the store. */
  readonly env: Environment;
  close(): Promise<void>;
}

/** Creates a store for one scenario. */
export async function openStore(kind: StoreKind = 'file'): Promise<OpenStore> {
  if (kind === 'none') return { env: {}, close: () => Promise.resolve() };
  if (kind === 'gs') {
    const server = await startGcs();
    await server.createBucket(BUCKET);
    const proxy = await startGcsProxy(Number(new URL(server.url).port));
    return {
      env: bucketEnvironment(proxy.url),
      close: async () => {
        await proxy.close();
        await server.close();
      },
    };
  }
  const directory = await mkdtemp(join(tmpdir(), 'branch-keys-'));
  return {
    env: { KMS_BRANCH_KEYS: `file:${directory}` },
    close: () => rm(directory, { recursive: true, force: true }),
  };
}

export const BUCKET = 'fleet';

/**
 * Returns the environment of processes that use the bucket of a test server. Google's client sends no
 * credentials to such a server.
 */
export const bucketEnvironment = (url: string): Environment => ({
  KMS_BRANCH_KEYS: `gs://${BUCKET}`,
  STORAGE_EMULATOR_HOST: url,
});
