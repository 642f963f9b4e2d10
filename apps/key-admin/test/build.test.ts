import { glob, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { runNode, startNode } from '@temporal-kms/testing/process';
import { beforeAll, expect, it } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { type Built, buildPrograms } from './support/built.ts';
import { afterwards, startCloud, temporaryFolder, variables, VIEWER } from './support/cli.ts';

let built: Built;
let folder: string;
let cli: string;
let worker: string;
beforeAll(async () => {
  built = await buildPrograms();
  ({ folder, cli, worker } = built);
}, 600_000);

it('builds two files that run without node_modules', async () => {
  expect((await readdir(folder)).toSorted()).toEqual(['app.mjs', 'main.mjs', 'scan-worker']);
  const { as, grant } = await startCloud();
  await grant(VIEWER, 'roles/cloudkms.viewer');
  const { code, stdout, stderr } = await runNode(cli, {
    args: ['keys', '--json'],
    cwd: folder,
    env: as(VIEWER),
  });
  expect([code, stderr]).toEqual([0, expect.stringContaining('Reading')]);
  expect(JSON.parse(stdout).keys[0].primary).toBe(1);

  const version = await runNode(cli, { args: ['--version'], cwd: folder });
  expect(version).toMatchObject({ code: 0, stdout: `${packageJson.version}\n` });
});

it('builds a folder whose scan worker runs outside the repository', async () => {
  const files: string[] = [];
  for await (const file of glob('**/*.node', { cwd: join(worker, 'node_modules', '.pnpm') }))
    files.push(file);
  // The folder contains only this machine's build of the native library.
  expect(files).toEqual([expect.stringMatching(/core-bridge\/releases\/[\w-]+\/index\.node$/)]);

  const wrong = await runNode(join(worker, 'main.mjs'), { args: ['--no-such-option'], cwd: folder });
  expect(wrong).toMatchObject({ code: 64, stderr: expect.stringContaining('--no-such-option') });

  const temporal = await startTemporal();
  afterwards(() => temporal.close());
  const cloud = await startCloud();
  const env = {
    ...variables,
    KMS_EMULATOR_HOST: cloud.emulator.address,
    TEMPORAL_ADDRESS: temporal.address,
    XDG_STATE_HOME: await temporaryFolder(),
  };
  const scanWorker = startNode(join(worker, 'main.mjs'), { cwd: folder, env });
  afterwards(() => scanWorker.kill());
  const args = ['scan', '--on-temporal', '--settle', '0', '--json'];
  const { code, stdout, stderr } = await runNode(cli, { args, cwd: folder, env });
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  expect(JSON.parse(stdout)).toMatchObject({
    complete: true,
    namespaces: expect.arrayContaining([
      expect.objectContaining({
        namespace: 'default',
        looked: expect.objectContaining({
          open: expect.objectContaining({ status: 'complete', histories: 0 }),
        }),
      }),
    ]),
  });
  expect(scanWorker.output()).not.toContain('Workflow bundle created');
});
