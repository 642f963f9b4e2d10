import fs, { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { FileBranchKeyStore } from '../../src/branch-keys/file-store.ts';
import { ABSENT } from '../../src/branch-keys/store.ts';
import { seenByImports } from '../support/builtins.ts';

const id = '0123456789abcdef-00';
const value = new TextEncoder().encode('value');
let folder: string;
let directory: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'branch-keys-'));
  directory = join(folder, 'store');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Lets the test replace results of a function in `node:fs/promises`. */
const spyOn = <Name extends 'mkdir' | 'open' | 'readdir' | 'unlink'>(name: Name) =>
  seenByImports(vi.spyOn(fs, name));

const load = () => new FileBranchKeyStore(directory).load(id);
const replace = () => new FileBranchKeyStore(directory).replace(id, value, '1');
const errorWith = (code: string) => Object.assign(new Error(code), { code });

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

  it('keeps only a few generations, and no unfinished files that are older than an hour', async () => {
    const store = new FileBranchKeyStore(directory);
    await store.replace(id, value, ABSENT);
    const now = 1_790_000_000;
    vi.useFakeTimers({ now: now * 1000, toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const kept = [`.${'1'.repeat(32)}.tmp`, '.2.tmp.bak', 'notes.3.tmp', 'notes.tmp'];
    for (const name of [`.${'0'.repeat(32)}.tmp`, ...kept]) {
      await writeFile(join(directory, name), 'half');
      const age = name === kept[0] ? 3_600 : 3_601;
      await utimes(join(directory, name), now - age, now - age);
    }
    for (let generation = 1; generation < 10; generation += 1) {
      expect(await store.replace(id, value, String(generation))).toBe(true);
    }
    const generations = [10, 7, 8, 9].map((n) => `${id}.${n}.json`);
    expect((await readdir(directory)).toSorted()).toEqual([...kept, ...generations].toSorted());
  });

  it('does not let a process that was suspended for several generations replace the value', async () => {
    const store = new FileBranchKeyStore(directory);
    for (let generation = 0; generation < 9; generation += 1) {
      await store.replace(id, value, generation === 0 ? ABSENT : String(generation));
    }
    const files = (await readdir(directory)).toSorted();
    // The process listed the directory before it was suspended. Other processes have since created and
    // removed generation 2.
    const outdated: any = [`${id}.1.json`];
    spyOn('readdir').mockResolvedValueOnce(outdated);
    expect(await store.replace(id, value, '1')).toBe(false);
    expect((await readdir(directory)).toSorted()).toEqual(files);
    expect((await store.load(id))?.generation).toBe('9');
  });
});

describe('the file: store, if the file system fails', () => {
  beforeEach(() => new FileBranchKeyStore(directory).replace(id, value, ABSENT));

  it.each([
    ['EACCES', 'not_permitted'],
    ['EPERM', 'not_permitted'],
    ['EROFS', 'not_permitted'],
    ['ENOSPC', 'unavailable'],
  ])('reports %s as %s', async (cause, code) => {
    for (const name of ['readdir', 'open'] as const) {
      spyOn(name).mockRejectedValueOnce(errorWith(cause));
      await expect(replace()).rejects.toMatchObject({ code, cause: { code: cause } });
    }
  });

  it('reports a directory that it cannot create', async () => {
    await rm(directory, { recursive: true });
    spyOn('mkdir').mockRejectedValueOnce(errorWith('EACCES'));
    await expect(load()).rejects.toMatchObject({ code: 'not_permitted' });
  });

  it('reports a file that it cannot remove', async () => {
    spyOn('unlink').mockRejectedValueOnce(errorWith('EPERM'));
    await expect(replace()).rejects.toMatchObject({ code: 'not_permitted' });
  });

  it('reads from a read-only file system, on which mkdir can fail with EROFS', async () => {
    spyOn('mkdir').mockRejectedValueOnce(errorWith('EROFS'));
    expect((await load())?.generation).toBe('1');
  });

  it('makes at most 4 attempts to read a value whose file another process removes before the read', async () => {
    const listing = spyOn('readdir');
    const outdated: any = [`${id}.9.json`];
    for (let times = 0; times < 3; times += 1) listing.mockResolvedValueOnce(outdated);
    expect((await load())?.generation).toBe('1');
    for (let times = 0; times < 4; times += 1) listing.mockResolvedValueOnce(outdated);
    await expect(load()).rejects.toMatchObject({ code: 'unavailable', cause: { code: 'ENOENT' } });
  });

  it('makes no second attempt to read a file that it refuses', async () => {
    await chmod(join(directory, `${id}.1.json`), 0o620);
    const listing = spyOn('readdir');
    await expect(load()).rejects.toMatchObject({ code: 'untrusted', cause: { code: 'untrusted' } });
    expect(listing).toHaveBeenCalledTimes(1);
  });

  it('leaves no file open', async () => {
    const opened = spyOn('open');
    await replace();
    await load();
    const handles = await Promise.all(opened.mock.results.map(({ value: handle }) => handle));
    expect(handles.map(({ fd }) => fd)).toEqual([-1, -1]);
  });
});

it.each(['', '../0', '0/../0', 'G', '0 '])('the file: store refuses the id %j', async (malformed) => {
  const store = new FileBranchKeyStore(directory);
  await expect(store.load(malformed)).rejects.toMatchObject({ code: 'malformed' });
  await expect(store.replace(malformed, value, ABSENT)).rejects.toMatchObject({ code: 'malformed' });
});

describe('the file: store with its files', () => {
  const file = () => join(directory, `${id}.1.json`);

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
