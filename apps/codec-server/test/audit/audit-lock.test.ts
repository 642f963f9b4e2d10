import { type ChildProcessByStdio, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { unlinkSync } from 'node:fs';
import { chmod, link, mkdir, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { verifyAudit } from '@temporal-kms/audit';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { auditFileAt, openFilesIn } from '../support/audit-file.ts';
import { folderForFile } from '../support/for-file.ts';

let directory: string;
let path: string;
let lock: string;
let count = 0;
const root = await folderForFile();
// Other users must be able to reach the folders with the audit files.
await chmod(root, 0o755);
beforeEach(async () => {
  directory = join(root, `${(count += 1)}`);
  await mkdir(directory, { mode: 0o755 });
  path = join(directory, 'audit.jsonl');
  lock = join(directory, '.audit.jsonl.lock');
});
afterEach(async () => expect(await openFilesIn(directory)).toEqual([]));

const TAKEN = /Another process writes to/;

const holdAudit = fileURLToPath(new URL('../support/hold-audit.ts', import.meta.url));
const contendForAudit = fileURLToPath(new URL('../support/contend-for-audit.ts', import.meta.url));

interface Holder {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  /** The process's output: `held`, or the reason why the process could not open the file. */
  readonly said: string;
  /** Ends the process, by default with SIGKILL, so that it cannot release anything. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a process that holds the audit file, by default in this process's namespaces. */
async function startHolder(...within: string[]): Promise<Holder> {
  const [command, ...args] = [...within, process.execPath, holdAudit, path] as const;
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  const end = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    child.kill(signal);
    await closed;
  };
  onTestFinished(() => end());
  let said = '';
  for await (const piece of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    said += piece;
    if (said.endsWith('\n')) break;
  }
  return { child, said: said.trim(), end };
}

/** Runs a Python script as another user, and returns its output. */
const asOtherUser = (script: string, ...args: string[]): string =>
  execFileSync('python3', ['-c', script, ...args], {
    uid: 12_345,
    gid: 12_345,
    encoding: 'utf8',
    cwd: '/',
    env: { PATH: process.env['PATH'] },
  });

const isRoot = process.geteuid?.() === 0;
const hasNamespaces =
  isRoot && spawnSync('unshare', ['--pid', '--net', '--mount', '--fork', 'true']).status === 0;

describe('the audit file lock', { timeout: 240_000 }, () => {
  it('keeps a second process out until the first process closes the file', async () => {
    const first = await startHolder();
    expect(first.said).toBe('held');
    expect((await stat(lock)).mode & 0o777).toBe(0o600);
    expect((await startHolder()).said).toMatch(TAKEN);
    await expect(auditFileAt(path)).rejects.toMatchObject({
      message: expect.stringMatching(TAKEN),
      cause: { errcode: 5 },
    });
    first.child.stdin.end();
    await once(first.child, 'close');
    expect(await readdir(directory)).toEqual(['audit.jsonl']);
    expect((await startHolder()).said).toBe('held');
  });

  it('is released as soon as its process is killed', async () => {
    for (let round = 0; round < 5; round += 1) {
      const holder = await startHolder();
      expect(holder.said).toBe('held');
      await holder.end();
      expect((await readdir(directory)).toSorted()).toEqual(['.audit.jsonl.lock', 'audit.jsonl']);
    }
    await (await auditFileAt(path)).close();
    expect(await readdir(directory)).toEqual(['audit.jsonl']);
  });

  it('stays with its process while the process is suspended', async () => {
    const holder = await startHolder();
    holder.child.kill('SIGSTOP');
    expect((await startHolder()).said).toMatch(TAKEN);
    await holder.end();
    expect((await startHolder()).said).toBe('held');
  });

  it('stays with its process while the audit file is rotated', async () => {
    let now = 0;
    const file = await auditFileAt(path, { now: () => now });
    const { ino, ctimeNs } = await stat(lock, { bigint: true });
    for (let round = 0; round < 3; round += 1) {
      execFileSync('mv', [path, `${path}.${round}`]);
      now += 2_000;
      await expect(auditFileAt(path)).rejects.toThrow(TAKEN);
      await file.append(['{"value":"line"}\n']);
    }
    // The process has kept its lock, instead of taking it again.
    expect(await stat(lock, { bigint: true })).toMatchObject({ ino, ctimeNs });
    await file.close();
    expect(await readdir(directory)).toHaveLength(4);
  });

  it('is held by at most one of many processes that open and close the file', async () => {
    const milliseconds = process.env['SLOW'] ? '4000' : '1000';
    const processes = Array.from({ length: 5 }, () =>
      spawn(process.execPath, [contendForAudit, path, milliseconds], { stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    const ended = processes.map((child) => once(child, 'close'));
    const outputs = processes.map((child) => Promise.all([text(child.stdout), text(child.stderr)]));
    const printed = await Promise.all(outputs);
    expect(printed.map(([, errors]) => errors).join('')).toBe('');
    expect((await Promise.all(ended)).map(([code]: unknown[]) => code)).toEqual([0, 0, 0, 0, 0]);
    expect(Math.min(...printed.map(([opened]) => Number(opened)))).toBeGreaterThan(0);
    expect(await verifyAudit({ files: [path], mixed: false, expected: [], after: [] })).toMatchObject({
      ok: true,
    });
    expect(await readdir(directory)).toEqual(['audit.jsonl']);
  });

  it('is reported as lost if an administrator removes the lock file and another process takes the lock', async () => {
    const file = await auditFileAt(path);
    await rm(lock);
    const other = await auditFileAt(path);
    file.reopen();
    await expect(file.append(['{"value":"a"}\n'])).rejects.toThrow(TAKEN);
    await other.close();
    await file.append(['{"value":"b"}\n']);
    await expect(auditFileAt(path)).rejects.toThrow(TAKEN);
    await file.close();
    // The file contains all lines of both processes.
    expect(await verifyAudit({ files: [path], mixed: false, expected: [], after: [] })).toMatchObject({
      ok: true,
    });
  });

  it('is taken again when the audit file is reopened after an administrator has removed the lock file', async () => {
    const file = await auditFileAt(path);
    await rm(lock);
    await rename(path, `${path}.1`);
    file.reopen();
    await file.append(['{"value":"a"}\n']);
    await expect(auditFileAt(path)).rejects.toThrow(TAKEN);
    await file.close();
  });

  it('is not acquired if the lock file is removed while the process takes the lock', async () => {
    const { DatabaseSync } = await import('node:sqlite');
    vi.doMock('node:sqlite', () => ({
      DatabaseSync: class extends DatabaseSync {
        constructor(file: string) {
          super(file);
          unlinkSync(file);
        }
      },
    }));
    onTestFinished(() => vi.doUnmock('node:sqlite'));
    await expect(auditFileAt(path)).rejects.toThrow('was removed while this process took it');
  });

  it('cannot be acquired if the lock file cannot be created', async () => {
    const name = 'a'.repeat(250);
    await expect(auditFileAt(join(directory, name))).rejects.toMatchObject({
      message: expect.stringContaining(`.${name}.lock cannot be created`),
      cause: { code: 'ENAMETOOLONG' },
    });
  });
});

describe('the audit file lock on a machine with other users', () => {
  it('can be acquired even if another user has bound a socket with the file’s name', async () => {
    await writeFile(path, '', { mode: 0o600 });
    const { dev, ino } = await stat(path);
    const server = createServer();
    await once(server.listen(`\0temporal-kms/audit/${dev}:${ino}`), 'listening');
    onTestFinished(() => void server.close());
    await (await auditFileAt(path)).close();
  });

  it.runIf(isRoot)(
    'cannot be taken or replaced by another user, even after the server is killed',
    async () => {
      await (await startHolder()).end();
      const script = `
import fcntl, os, sys
lock, other = sys.argv[1:]
def attempt(name, act):
    try:
        act()
        print(name, 'succeeded')
    except OSError as error:
        print(name, error.strerror)
attempt('write', lambda: fcntl.lockf(os.open(lock, os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB))
attempt('read', lambda: fcntl.lockf(os.open(lock, os.O_RDONLY), fcntl.LOCK_SH | fcntl.LOCK_NB))
attempt('remove', lambda: os.unlink(lock))
attempt('rename', lambda: os.rename(lock, other))
attempt('create', lambda: os.open(other, os.O_CREAT | os.O_RDWR))
`;
      const denied = ['write', 'read', 'remove', 'rename', 'create'].map(
        (act) => `${act} Permission denied\n`,
      );
      expect(asOtherUser(script, lock, join(directory, '.other.lock'))).toBe(denied.join(''));
      await (await auditFileAt(path)).close();
    },
  );

  it.runIf(isRoot)(
    'does not use a lock file that another user planted in a folder where everyone may create files',
    async () => {
      await chmod(directory, 0o1777);
      asOtherUser('import os, sys; os.open(sys.argv[1], os.O_CREAT | os.O_RDWR, 0o600)', lock);
      await expect(auditFileAt(path)).rejects.toThrow(/audit\.jsonl\.lock belongs to the user 12345/);
      await rm(lock);
      asOtherUser('import os, sys; os.symlink(sys.argv[1], sys.argv[2])', join(directory, 'made'), lock);
      await expect(auditFileAt(path)).rejects.toThrow(/is not an empty regular file/);
      expect(await readdir(directory)).not.toContain('made');
      await rm(lock);
      // These are the names of files that SQLite looks for next to a database.
      asOtherUser(
        'import os, sys; [os.mkdir(sys.argv[1] + end) for end in ("-journal", "-wal", "-shm")]',
        lock,
      );
      await expect(auditFileAt(path)).rejects.toThrow(/lock .* cannot be taken/);
    },
  );
});

describe('openAuditFile', () => {
  const cases: [what: string, make: () => Promise<unknown>, why: RegExp][] = [
    [
      'a symbolic link without a target',
      () => symlink(join(directory, 'made'), lock),
      /is not an empty regular file/,
    ],
    ['a FIFO', async () => execFileSync('mkfifo', [lock]), /is not an empty regular file/],
    ['a file with content', () => writeFile(lock, 'x', { mode: 0o600 }), /is not an empty regular file/],
    [
      'a file with a second hard link',
      async () => {
        await writeFile(lock, '', { mode: 0o600 });
        await link(lock, join(directory, 'second'));
      },
      /hard links/,
    ],
    [
      'a file that others can write',
      async () => {
        await writeFile(lock, '');
        await chmod(lock, 0o666);
      },
      /can be written by its group or by others.*chmod go-w/,
    ],
  ];
  it.each(cases)('refuses %s in place of the lock', async (_, make, why) => {
    await make();
    await expect(auditFileAt(path)).rejects.toThrow(why);
    expect(await readdir(directory)).not.toContain('made');
  });
});

describe.runIf(hasNamespaces)('the audit file lock in containers', { timeout: 240_000 }, () => {
  const container = ['unshare', '--pid', '--net', '--ipc', '--uts', '--mount', '--fork', '--kill-child'];
  /**
   * Makes the folder read-only, with these files as writable volumes, like `docker run --read-only -v
   * file:file`.
   */
  const readOnly = (...files: string[]): string[] => [
    ...container,
    'sh',
    '-ec',
    `mount --bind ${directory} /mnt && mount -o remount,bind,ro /mnt
     for file in ${files.join(' ')}; do mount --bind "$file" "/mnt/\${file##*/}"; done
     mount --rbind /mnt ${directory}
     exec "$@"`,
    'sh',
  ];

  it('works between processes in different Linux namespaces, and ends with its process', async () => {
    const first = await startHolder(...container);
    expect(first.said).toBe('held');
    expect((await startHolder(...container)).said).toMatch(TAKEN);
    expect((await startHolder()).said).toMatch(TAKEN);
    await first.end();
    const outside = await startHolder();
    expect(outside.said).toBe('held');
    expect((await startHolder(...container)).said).toMatch(TAKEN);
  });

  it('needs an existing lock file if only the audit file is writable', async () => {
    await writeFile(path, '', { mode: 0o600 });
    expect((await startHolder(...readOnly(path))).said).toMatch(
      /The lock .* cannot be created: EROFS.*create an empty file/,
    );
    await writeFile(lock, '', { mode: 0o600 });
    const holder = await startHolder(...readOnly(path, lock));
    expect(holder.said).toBe('held');
    expect((await startHolder(...readOnly(path, lock))).said).toMatch(TAKEN);
    await holder.end();
    expect((await startHolder(...readOnly(path, lock))).said).toBe('held');
  });
});
