import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startNode } from '@temporal-kms/testing/process';
import { describe, expect, it } from 'vitest';
import { isUsable, type KeptScan, otherSettings } from '../../src/scan/on-temporal/kept-scan.ts';
import { statesIn } from '../../src/scan-worker/states.ts';
import { emptyPart } from '../../src/scan/scan-part.ts';
import { ScanState } from '../../src/scan/state.ts';
import { temporaryFolder } from '../support/cli.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
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
  'accepts the result of a scan that started %i hours ago, for a command with %j: %s',
  (hours, other, isOne) => {
    expect(isUsable(kept(NOW - hours * HOUR), { ...settings, ...other }, NOW)).toBe(isOne);
  },
);

it('returns the options of a scan in progress if a new command has different options', () => {
  expect(otherSettings(kept(NOW), settings)).toBeUndefined();
  for (const other of [{ rps: 200 }, { taskQueue: 'other' }, { settleMs: 0 }])
    expect(otherSettings(kept(NOW), { ...settings, ...other })).toBe(
      '--rps 100 --task-queue queue --settle 60',
    );
  expect(otherSettings(kept(NOW), { ...settings, keyIds: ['a', 'c'] })).toContain('crypto keys');
});

it('quotes the name of the scan’s task queue for the shell', () => {
  const odd = { ...kept(NOW), taskQueue: 'a; rm b' };
  expect(otherSettings(odd, settings)).toBe("--rps 100 --task-queue 'a; rm b' --settle 60");
});

const summary = { payloads: 1, traits: new Map([['{"is":"plaintext"}', 1]]) };
const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `run-${from + n}`);
const linesIn = async (file: string) => (await readFile(file, 'utf8')).trim().split('\n').length;

describe('a namespace’s state', () => {
  it('can be opened again after an error', async () => {
    const folder = await temporaryFolder();
    const stateOf = statesIn(folder, () => new Date());
    await mkdir(join(folder, 'id.journal'));
    await expect(stateOf('id', 60)).rejects.toThrow('EISDIR');
    await rm(join(folder, 'id.journal'), { recursive: true });
    const state = await stateOf('id', 60);
    expect(state?.size).toBe(0);
    expect(await stateOf('id', 60)).toBe(state);
  });

  it('drops runs that no longer exist, and keeps runs that another process has read meanwhile', async () => {
    const file = join(await temporaryFolder(), 'id.journal');
    const state = await ScanState.open(file);
    for (const id of ids(0, 20)) state.set(id, summary);
    await state.flush();
    const other = await ScanState.open(file);
    for (const id of ids(20, 24)) other.set(id, summary);
    await other.flush();
    await state.compact(new Set(ids(16, 24)));
    expect(state.size).toBe(8);
    // The file has a line for each run, and a line for the summary that the runs share.
    expect(await linesIn(file)).toBe(9);
    state.set('run-24', summary);
    await state.flush();
    const { size } = await ScanState.open(file);
    expect(size).toBe(9);
  });

  it('drops, once a day and in a worker, runs that were read longer ago than the retention plus a day', async () => {
    const folder = await temporaryFolder();
    let now = NOW;
    const stateOf = statesIn(folder, () => new Date(now));
    const retention = (2 * DAY) / 1000;
    const state = await stateOf('id', retention);
    for (const id of ids(0, 20)) state!.set(id, summary);
    const sizes: (number | undefined)[] = [];
    for (let day = 1; day <= 4; day += 1) {
      now = NOW + day * DAY;
      state!.set(`read on day ${day}`, summary);
      sizes.push((await stateOf('id', retention))?.size);
    }
    expect(sizes).toEqual([21, 22, 23, 4]);
    expect(await linesIn(join(folder, 'id.journal'))).toBe(5);
  });

  it('is written completely by the first write after a failed write', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'id.journal');
    const state = await ScanState.open(file);
    await rename(file, join(folder, 'aside'));
    await mkdir(file);
    state.set('first', summary);
    await expect(state.flush()).rejects.toThrow('cannot be kept');
    await rm(file, { recursive: true });
    state.set('second', summary);
    await state.flush();
    expect((await ScanState.open(file)).size).toBe(1);
  });
});

it('ends a worker at startup if it cannot use its state folder', async () => {
  const file = join(await temporaryFolder(), 'file');
  await writeFile(file, '');
  const main = join(import.meta.dirname, '..', '..', 'src', 'scan-worker', 'main.ts');
  const env = { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:9', TEMPORAL_NAMESPACE: 'payments' };
  const worker = startNode(main, { args: ['--state', join(file, 'state')], env });
  expect(await worker.ended).not.toBe(0);
  expect(worker.stderr()).toContain('cannot store its state');
  expect(worker.stderr()).toContain('--no-state');
});
