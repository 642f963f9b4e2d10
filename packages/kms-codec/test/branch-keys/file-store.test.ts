import { chmod, link, mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileBranchKeyStore } from '../../src/branch-keys/file-store.ts';
import { ABSENT } from '../../src/branch-keys/store.ts';

const id = '0123456789abcdef-00';
const value = new TextEncoder().encode('value');
let folder: string;
let directory: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'branch-keys-'));
  directory = join(folder, 'store');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the file: store with its directory', () => {
  it('creates the directory with mode 0700, and the files with mode 0600', async () => {
    await new FileBranchKeyStore(directory).replace(id, value, ABSENT);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, `${id}.1.json`))).mode & 0o777).toBe(0o600);
  });

  it('is unavailable if the directory’s parent does not exist', async () => {
    const store = new FileBranchKeyStore(join(folder, 'missing/store'));
    await expect(store.load(id)).rejects.toMatchObject({ code: 'unavailable', cause: { code: 'ENOENT' } });
  });

  it.each([0o770, 0o707])('refuses a directory with mode %o', async (mode) => {
    await mkdir(directory);
    await chmod(directory, mode);
    await expect(new FileBranchKeyStore(directory).load(id)).rejects.toMatchObject({ code: 'untrusted' });
  });

  it('refuses a directory that is a symbolic link or a file', async () => {
    await mkdir(join(folder, 'real'), { mode: 0o700 });
    await symlink(join(folder, 'real'), directory);
    await expect(new FileBranchKeyStore(directory).load(id)).rejects.toMatchObject({ code: 'untrusted' });
    await writeFile(join(folder, 'file'), '', { mode: 0o600 });
    await expect(new FileBranchKeyStore(join(folder, 'file')).load(id)).rejects.toMatchObject({
      code: 'untrusted',
    });
  });

  it('keeps only a few generations, and no unfinished files from processes that have ended', async () => {
    const store = new FileBranchKeyStore(directory);
    await store.replace(id, value, ABSENT);
    const abandoned = join(directory, `.${'0'.repeat(32)}.tmp`);
    const recent = join(directory, `.${'1'.repeat(32)}.tmp`);
    const foreign = join(directory, 'notes.tmp');
    for (const file of [abandoned, recent, foreign]) await writeFile(file, 'half');
    for (const file of [abandoned, foreign]) await utimes(file, 1, 1);
    for (let generation = 1; generation < 10; generation += 1) {
      expect(await store.replace(id, value, String(generation))).toBe(true);
    }
    expect((await readdir(directory)).toSorted()).toEqual([
      `.${'1'.repeat(32)}.tmp`,
      ...[10, 7, 8, 9].map((n) => `${id}.${n}.json`),
      'notes.tmp',
    ]);
  });

  it('does not let a process that was suspended for several generations replace the value', async () => {
    const store = new FileBranchKeyStore(directory);
    await store.replace(id, value, ABSENT);
    for (let generation = 1; generation < 9; generation += 1) {
      await store.replace(id, value, String(generation));
    }
    // The suspended process has seen generation 1. The process creates the file of generation 2, which other
    // processes have already created and removed.
    await link(join(directory, `${id}.9.json`), join(directory, `${id}.2.json`));
    expect((await store.load(id))?.generation).toBe('9');
    expect(await store.replace(id, value, '2')).toBe(false);
  });
});

it.each(['', '../0', '0/../0', 'G', '0 '])('the file: store refuses the id %j', async (malformed) => {
  const store = new FileBranchKeyStore(directory);
  await expect(store.load(malformed)).rejects.toMatchObject({ code: 'malformed' });
  await expect(store.replace(malformed, value, ABSENT)).rejects.toMatchObject({ code: 'malformed' });
});

describe('the file: store with its files', () => {
  const file = () => join(directory, `${id}.1.json`);
  const load = () => new FileBranchKeyStore(directory).load(id);

  beforeEach(() => mkdir(directory, { mode: 0o700 }));

  it.each([0o620, 0o602])('refuses a file with mode %o', async (mode) => {
    await writeFile(file(), 'x');
    await chmod(file(), mode);
    await expect(load()).rejects.toMatchObject({ code: 'untrusted' });
  });

  it('refuses a file that is a symbolic link or a directory', async () => {
    await writeFile(join(folder, 'elsewhere'), 'x', { mode: 0o600 });
    await symlink(join(folder, 'elsewhere'), file());
    await expect(load()).rejects.toMatchObject({ code: 'untrusted' });
    await rm(file());
    await mkdir(file());
    await expect(load()).rejects.toMatchObject({ code: 'untrusted' });
  });

  it.each([
    'x.1.json',
    `${id}.0.json`,
    `${id}.01.json`,
    `${id}.1.json.tmp`,
    `${id}.-1.json`,
    `${id}.x.1.json`,
    `${id}0.1.json`,
  ])('ignores a file with the name %s', async (name) => {
    await writeFile(join(directory, name), 'x', { mode: 0o600 });
    expect(await load()).toBeUndefined();
  });
});
