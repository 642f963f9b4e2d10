import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';
import { projectRoot } from '@temporal-kms/scripts/project';
import { findProgram } from '@temporal-kms/scripts/prometheus';
import { promtoolTests } from './alert-cases.ts';

const BUILD_MS = 900_000;
const chart = join(projectRoot, 'deploy/helm/temporal-kms');

it('promtool confirms when each alert fires', { timeout: BUILD_MS }, async (context) => {
  const promtool = await findProgram('promtool');
  if (promtool === undefined) context.skip();
  const directory = await mkdtemp(join(tmpdir(), 'promtool-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  // promtool reads YAML, which includes JSON.
  const testFile = join(directory, 'tests.yaml');
  await writeFile(testFile, JSON.stringify(promtoolTests(join(chart, 'alerts.yaml'))));
  const run = (...args: string[]) => execa(promtool!, args, { cwd: chart, reject: false, all: true });
  const checked = await run('check', 'rules', 'alerts.yaml');
  expect(checked.exitCode, checked.all).toBe(0);
  const tested = await run('test', 'rules', testFile);
  expect(tested.exitCode, tested.all).toBe(0);
});
