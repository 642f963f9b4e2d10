import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startNode } from '@temporal-kms/testing/process';
import { expect, it } from 'vitest';
import { isTooOld, type KeptScan, otherOptions } from '../../src/scan/on-temporal/kept-scan.ts';
import { statesIn } from '../../src/scan-worker/states.ts';
import { emptyPart } from '../../src/scan/part.ts';
import { temporaryFolder } from '../support/cli.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2030, 0, 1);
const kept = (started: number): KeptScan => ({
  form: 1,
  scanId: 'id',
  before: { started, part: emptyPart(), schedules: [], keptResults: [], notWalked: [] },
  rps: 100,
  taskQueue: 'queue',
});

it.each([
  ['completed', 25, true],
  ['completed', 23, false],
  ['is in progress', 25, false],
])('a scan whose workflow %s is too old after %i hours: %s', (state, hours, isOld) => {
  expect(isTooOld(kept(NOW - hours * HOUR), state === 'is in progress', NOW)).toBe(isOld);
});

it('names the options of a scan that was started with others', () => {
  const wanted = { rps: 100, taskQueue: 'queue' };
  expect(otherOptions(kept(NOW), wanted)).toBeUndefined();
  for (const other of [{ rps: 200 }, { taskQueue: 'other' }])
    expect(otherOptions(kept(NOW), { ...wanted, ...other })).toBe('--rps 100 --task-queue queue');
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
