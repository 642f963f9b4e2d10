import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@playwright/test';
import { ownPorts, spawnDev, startDev } from '@temporal-kms/scripts/dev';
import { startNetworkCanary, type NetworkCanary } from '@temporal-kms/testing/canaries';

let folder: string;
let canaries: Record<'exported' | 'profile' | 'ownProfile' | 'kms', NetworkCanary>;
let environment: Record<string, string>;

/** Sets up a machine whose environment and profile files name another Temporal server and Google project. */
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
    XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'),
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

const connections = () =>
  Object.fromEntries(Object.entries(canaries).map(([name, canary]) => [name, canary.connections()]));

test('`pnpm dev` does not connect to the machine’s Temporal server or Google project', async () => {
  test.setTimeout(300_000);
  const dev = await startDev(environment);
  // The samples keep running after `startDev` returns.
  await sleep(5_000);
  await dev.stop();
  expect(connections()).toEqual({ exported: 0, profile: 0, ownProfile: 0, kms: 0 });
  const entries = await readdir(join(folder, 'data'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(['temporal.db', 'kms-emulator.json']));
  for (const { parentPath, name } of files) {
    expect(await readFile(join(parentPath, name), 'latin1')).not.toContain('elsewhere');
  }
});

test('`pnpm dev` connects to the machine’s Temporal server and Google project with DEV_REMOTE=1', async () => {
  test.setTimeout(300_000);
  const dev = await spawnDev({ ...environment, DEV_REMOTE: '1' });
  try {
    // The codec server and the worker call Cloud KMS when they start; the codec server calls Temporal for a
    // request.
    const workflows = `http://127.0.0.1:${environment['DEV_CODEC_PORT']}/api/namespaces/default/workflows`;
    const connected = async () => {
      await fetch(workflows).catch(() => undefined);
      return canaries.exported.connections() > 0 && canaries.kms.connections() > 0;
    };
    await expect.poll(connected, { timeout: 240_000 }).toBe(true);
  } finally {
    await dev.stop('SIGINT');
  }
});
