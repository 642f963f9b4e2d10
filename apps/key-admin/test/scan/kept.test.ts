import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startNode } from '@temporal-kms/testing/process';
import { expect, it } from 'vitest';
import { isUsable, type KeptScan, otherSettings } from '../../src/scan/on-temporal/kept-scan.ts';
import { statesIn } from '../../src/scan-worker/states.ts';
import { emptyPart } from '../../src/scan/part.ts';
import { temporaryFolder } from '../support/cli.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2030, 0, 1);
const settings = { keyIds: ['a', 'b'], settleMs: 60_000, rps: 100, taskQueue: 'queue' };
const kept = (started: number): KeptScan => ({
  form: 1,
  scanId: 'id',
  before: { started, part: emptyPart(), schedules: [], keptResults: [], notWalked: [] },
  ...settings,
});

it.each([
  [23, {}, true],
  [25, {}, false],
  [1, { keyIds: ['b', 'a'], rps: 200, taskQueue: 'other' }, true],
  [1, { keyIds: ['a'] }, false],
  [1, { keyIds: ['a', 'b', 'c'] }, false],
  [1, { settleMs: 0 }, false],
])(
  'the result of a scan that was started %i hours ago, for a command with %j, is usable: %s',
  (hours, other, isOne) => {
    expect(isUsable(kept(NOW - hours * HOUR), { ...settings, ...other }, NOW)).toBe(isOne);
  },
);

it('names what a scan in progress was started with', () => {
  expect(otherSettings(kept(NOW), settings)).toBeUndefined();
  for (const other of [{ rps: 200 }, { taskQueue: 'other' }, { settleMs: 0 }])
    expect(otherSettings(kept(NOW), { ...settings, ...other })).toBe(
      '--rps 100 --task-queue queue --settle 60',
    );
  expect(otherSettings(kept(NOW), { ...settings, keyIds: ['a', 'c'] })).toContain('crypto keys');
});

it('quotes the name of a task queue for the shell', () => {
  const odd = { ...kept(NOW), taskQueue: 'a; rm b' };
  expect(otherOptions(odd, { rps: 100, taskQueue: 'other' })).toBe("--rps 100 --task-queue 'a; rm b'");
});

it('opens the state of a namespace again after an error', async () => {
  const folder = await temporaryFolder();
  const stateOf = statesIn(folder);
  await mkdir(join(folder, 'id.journal'));
  await expect(stateOf('id')).rejects.toThrow('EISDIR');
  await rm(join(folder, 'id.journal'), { recursive: true });
  const state = await stateOf('id');
  expect(state?.size).toBe(0);
  expect(await stateOf('id')).toBe(state);
});

it('does not start a worker that cannot use its state folder', async () => {
  const file = join(await temporaryFolder(), 'file');
  await writeFile(file, '');
  const main = join(import.meta.dirname, '..', '..', 'src', 'scan-worker', 'main.ts');
  const env = { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:9', TEMPORAL_NAMESPACE: 'payments' };
  const worker = startNode(main, { args: ['--state', join(file, 'state')], env });
  expect(await worker.ended).not.toBe(0);
  expect(worker.stderr()).toContain('cannot keep what it reads');
  expect(worker.stderr()).toContain('--no-state');
});
