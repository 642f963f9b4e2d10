import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base } from '@playwright/test';
import { startNetworkCanary, type NetworkCanary } from '@temporal-kms/testing/canaries';

/** A machine whose environment and profile files name another Temporal server and Google project. */
export interface RemoteMachine {
  /** The folder for the data of `pnpm dev`. */
  readonly data: string;
  /** The machine's variables for `pnpm dev`, without ports. */
  readonly environment: Readonly<Record<string, string>>;
  /** Returns the number of connections to each server that the machine names. */
  connections(): Record<string, number>;
}

function profile(canary: NetworkCanary): string {
  return `[profile.default]\naddress = "${canary.address}"\nnamespace = "elsewhere-namespace"\n`;
}

export const test = base.extend<{ machine: RemoteMachine }>({
  // From this empty pattern, Playwright infers that the fixture needs no other fixtures.
  // oxlint-disable-next-line no-empty-pattern
  machine: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), 'remote-test-'));
    const canaries = {
      exported: await startNetworkCanary(),
      profile: await startNetworkCanary(),
      ownProfile: await startNetworkCanary(),
      kms: await startNetworkCanary(),
    };
    await writeFile(join(folder, 'temporal.toml'), profile(canaries.profile));
    const own = join(folder, '.config', 'temporalio');
    await mkdir(own, { recursive: true });
    await writeFile(join(own, 'temporal.toml'), profile(canaries.ownProfile));
    const data = join(folder, 'data');
    await use({
      data,
      environment: {
        HOME: folder,
        XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'),
        XDG_CONFIG_HOME: join(folder, '.config'),
        DEV_DATA_DIR: data,
        TEMPORAL_ADDRESS: canaries.exported.address,
        TEMPORAL_NAMESPACE: 'elsewhere-namespace',
        TEMPORAL_CONFIG_FILE: join(folder, 'temporal.toml'),
        GCP_PROJECT: 'elsewhere-project',
        GCP_KMS_KEY_RING: 'elsewhere-ring',
        GCP_KMS_KEY: 'elsewhere-key',
        KMS_EMULATOR_HOST: canaries.kms.address,
      },
      connections: () =>
        Object.fromEntries(Object.entries(canaries).map(([name, canary]) => [name, canary.connections()])),
    });
    for (const canary of Object.values(canaries)) canary.close();
    await rm(folder, { recursive: true });
  },
});
