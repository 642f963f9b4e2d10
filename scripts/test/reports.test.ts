import { execa } from 'execa';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { none, readFiles, readOutcome } from '../src/test/reports.ts';
import { suiteLine, timeLines } from '../src/test/times.ts';

const project = join(import.meta.dirname, '..');

/** Creates a package inside this package, so that the new package finds the same tools. */
async function emptyPackage(): Promise<string> {
  await mkdir(join(project, '.results'), { recursive: true });
  const folder = await mkdtemp(join(project, '.results', 'reports-test-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await symlink(join(project, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

it('readOutcome counts the tests in vitest’s report, and counts a file that does not load as a failure', async () => {
  const folder = await emptyPackage();
  await writeFile(
    join(folder, 'some.test.ts'),
    `import { test } from 'vitest';
     test('passes', () => {}); test('passes too', () => {}); test('fails', () => { throw new Error('on purpose'); });
     let attempts = 0;
     test('passes later', { retry: 1 }, () => { attempts += 1; if (attempts === 1) throw new Error('at first'); });
     test.skip('skipped', () => {});`,
  );
  await writeFile(join(folder, 'broken.test.ts'), `throw new Error('does not load');`);
  const args = ['run', '--root', folder, '--reporter=json', '--outputFile=.results/vitest.json'];
  await execa('vitest', args, { preferLocal: true, localDir: project, cwd: folder, reject: false });
  expect(await readOutcome(folder)).toMatchObject({
    passed: 3,
    failed: 2,
    skipped: 1,
    flaky: [expect.stringMatching(/some\.test\.ts: passes later\n    Error: at first/)],
  });
  expect((await readOutcome(folder))?.failures.toSorted()).toEqual([
    expect.stringMatching(/broken\.test\.ts: does not load\n    does not load/),
    expect.stringMatching(/some\.test\.ts: fails\n    Error: on purpose/),
  ]);
});

it('readOutcome counts an error that no test caught as a failure', async () => {
  const folder = await emptyPackage();
  await writeFile(
    join(folder, 'vitest.config.ts'),
    `import { shared } from '../../src/vitest.ts';
     export default { test: { ...shared, include: ['some.test.ts'] } };`,
  );
  await writeFile(
    join(folder, 'some.test.ts'),
    `import { test } from 'vitest';
     test('passes', () => { void Promise.reject(new Error('on purpose')); });`,
  );
  const { exitCode } = await execa('vitest', ['run'], {
    preferLocal: true,
    localDir: project,
    cwd: folder,
    reject: false,
  });
  expect(exitCode).toBe(1);
  expect(await readOutcome(folder)).toMatchObject({
    passed: 1,
    failed: 1,
    failures: [expect.stringMatching(/^an error outside the tests\n    Error: on purpose/)],
  });
});

it('readOutcome counts the tests in Playwright’s report, and counts a file that does not load as a failure', async () => {
  const folder = await emptyPackage();
  await writeFile(
    join(folder, 'some.spec.ts'),
    `import { test } from '@playwright/test';
     test('passes', () => {}); test('fails', () => { throw new Error('on purpose'); }); test.skip('skipped', () => {});
     test('passes later', ({}, { retry }) => { if (retry === 0) throw new Error('at first'); });`,
  );
  const run = () =>
    execa('playwright', ['test', '--reporter=json', '--retries=1'], {
      preferLocal: true,
      localDir: project,
      cwd: folder,
      reject: false,
      env: { PLAYWRIGHT_JSON_OUTPUT_NAME: '.results/playwright.json' },
    });
  await run();
  const failures = [expect.stringMatching(/^some\.spec\.ts: fails\n    Error: on purpose/)];
  const flaky = [expect.stringMatching(/^some\.spec\.ts: passes later\n    Error: at first/)];
  const seconds = expect.any(Number);
  expect(await readOutcome(folder)).toEqual({ passed: 2, failed: 1, skipped: 1, failures, flaky, seconds });
  expect(await readFiles(basename(folder), '.results', dirname(folder))).toEqual([
    [`${basename(folder)}/some.spec.ts`, { passed: 2, failed: true, skipped: 1, seconds }],
  ]);
  await writeFile(join(folder, 'broken.spec.ts'), `throw new Error('does not load');`);
  await run();
  expect((await readOutcome(folder))?.failed).toBeGreaterThan(0);
});

it('readOutcome returns undefined if there is no report', async () => {
  expect(await readOutcome(await emptyPackage())).toBeUndefined();
});

it('timeLines lists the slowest files first, and suiteLine shows a suite’s time', () => {
  const file = { passed: 1, failed: false, skipped: 0 };
  const files = new Map([
    ['a/test/fast.test.ts', { ...file, seconds: 0.4 }],
    ['a/test/slow.test.ts', { ...file, seconds: 117.2 }],
  ]);
  expect(timeLines(files).slice(1)).toEqual(['  117 s  a/test/slow.test.ts', '    0 s  a/test/fast.test.ts']);
  expect(suiteLine('a', { ...none, passed: 2, skipped: 1, seconds: 118 })).toBe(
    'a: 2 passed, 0 failed, 1 skipped, 118 s',
  );
});
