import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@playwright/test';
import { ownPorts, spawnDev, startDev } from '@temporal-kms/scripts/dev';
import { startNetworkCanary, type NetworkCanary } from '@temporal-kms/testing/canaries';

let folder: string;
let canaries: Record<'exported' | 'profile' | 'ownProfile' | 'kms', NetworkCanary>;
let environment: Record<string, string>;

/** A machine on which everything points at somebody's real Temporal and Google project. */
test.beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'remote-test-'));
  canaries = {
    exported: await startNetworkCanary(),
    profile: await startNetworkCanary(),
    ownProfile: await startNetworkCanary(),
    kms: await startNetworkCanary(),
  };
  await writeFile(join(folder, 'temporal.toml'), profile(canaries.profile));
  const own = join(folder, '.config', 'temporalio');
  await mkdir(own, { recursive: true });
  await writeFile(join(own, 'temporal.toml'), profile(canaries.ownProfile));
  environment = {
    ...(await ownPorts()),
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, '.config'),
    DEV_DATA_DIR: join(folder, 'data'),
    TEMPORAL_ADDRESS: canaries.exported.address,
    TEMPORAL_NAMESPACE: 'elsewhere-namespace',
    TEMPORAL_CONFIG_FILE: join(folder, 'temporal.toml'),
    GCP_PROJECT: 'elsewhere-project',
    GCP_KMS_KEY_RING: 'elsewhere-ring',
    GCP_KMS_KEY: 'elsewhere-key',
    KMS_EMULATOR_HOST: canaries.kms.address,
  };
});

test.afterEach(async () => {
  for (const canary of Object.values(canaries)) canary.close();
  await rm(folder, { recursive: true });
});

function profile(canary: NetworkCanary): string {
  return `[profile.default]\naddress = "${canary.address}"\nnamespace = "elsewhere-namespace"\n`;
}

const heard = () =>
  Object.fromEntries(Object.entries(canaries).map(([name, canary]) => [name, canary.connections()]));

test('dev sends nothing to the Temporal, the profile or the Google project that the machine points at', async () => {
  test.setTimeout(180_000);
  const dev = await startDev(environment);
  // The samples run on after the ready line.
  await sleep(5_000);
  await dev.stop();
  expect(heard()).toEqual({ exported: 0, profile: 0, ownProfile: 0, kms: 0 });
  const files = await readdir(join(folder, 'data'));
  expect(files).toContain('temporal.db');
  for (const file of files) {
    expect(await readFile(join(folder, 'data', file), 'latin1')).not.toContain('elsewhere');
  }
});

test('the control: asked for by name, the same machine is reached', async () => {
  const dev = await spawnDev({ ...environment, DEV_REMOTE: '1' });
  try {
    // The codec server asks Temporal when it is asked; both it and the worker ask KMS at once.
    const workflows = `http://127.0.0.1:${environment['DEV_CODEC_PORT']}/api/namespaces/default/workflows`;
    const ask = async () => {
      await fetch(workflows).catch(() => undefined);
      return canaries.exported.connections() > 0 && canaries.kms.connections() > 0;
    };
    await expect.poll(ask, { timeout: 30_000 }).toBe(true);
  } finally {
    await dev.stop('SIGINT');
  }
});
