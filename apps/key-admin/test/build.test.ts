import { mkdtemp, copyFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { runNode } from '@temporal-kms/testing/process';
import { expect, it } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { afterwards, startCloud, VIEWER } from './support/cli.ts';

const root = dirname(fileURLToPath(new URL('.', import.meta.url)));
const tsdown = () => join(root, 'node_modules', 'tsdown', 'dist', 'run.mjs');

it('builds one file that runs without node_modules', { timeout: 180_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'temporal-kms-'));
  afterwards(() => rm(folder, { recursive: true, force: true }));
  await promisify(execFile)(process.execPath, [tsdown(), '--out-dir', join(folder, 'dist')], { cwd: root });
  await copyFile(join(folder, 'dist', 'main.mjs'), join(folder, 'temporal-kms.mjs'));
  await rm(join(folder, 'dist'), { recursive: true });

  const { as, grant } = await startCloud();
  await grant(VIEWER, 'roles/cloudkms.viewer');
  const { code, stdout, stderr } = await runNode(join(folder, 'temporal-kms.mjs'), {
    args: ['keys', '--json'],
    cwd: folder,
    env: as(VIEWER),
  });
  expect([code, stderr]).toEqual([0, expect.stringContaining('Reading')]);
  expect(JSON.parse(stdout).keys[0].primary).toBe(1);

  const version = await runNode(join(folder, 'temporal-kms.mjs'), { args: ['--version'], cwd: folder });
  expect(version).toMatchObject({ code: 0, stdout: `${packageJson.version}\n` });
});
