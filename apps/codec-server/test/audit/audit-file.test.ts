import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, renameSync } from 'node:fs';
import fs, {
  appendFile,
  chmod,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type AuditFile,
  createAudit,
  formatHead,
  newInstance,
  openAuditFile,
  verifyAudit,
} from '@temporal-kms/audit';
import { listenOnLoopback } from '@temporal-kms/testing/network';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { standardOutput } from '../../src/observability/log.ts';
import { auditFileAt, openFilesIn } from '../support/audit-file.ts';
import { folderForFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { auditSink } from '../../src/audit/open-audit.ts';

let directory: string;
let path: string;
let count = 0;
const root = await folderForFile();
beforeEach(async () => {
  directory = join(root, `${(count += 1)}`);
  await mkdir(directory, { mode: 0o700 });
  path = join(directory, 'audit.jsonl');
});
afterEach(async () => {
  vi.restoreAllMocks();
  expect(await openFilesIn(directory)).toEqual([]);
});

/** The prototype of Node's file handles, whose methods a test can replace. */
const fileHandle = await open(root, 'r').then(async (handle): Promise<FileHandle> => {
  await handle.close();
  return Object.getPrototypeOf(handle);
});

const text = (file: string) => readFile(file, 'utf8');
const line = (value: string): string => `${JSON.stringify({ value })}\n`;
/**
 * Returns the values of a file's lines, without the lines that a process writes when it opens and closes the
 * file.
 */
const values = async (file: string): Promise<string[]> =>
  (await text(file))
    .split('\n')
    .map((one) => /^\{"value":"(.*?)"/.exec(one)?.[1])
    .filter((value) => value !== undefined);
/** Opens the file like a new process, and appends the lines in separate writes. */
async function appendOnce(...lines: string[]): Promise<void> {
  const file = await auditFileAt(path);
  for (const value of lines) await file.append([line(value)]);
  await file.close();
}
/** Replaces the file as a rotation or an editor does. */
async function replace(content: string): Promise<void> {
  await writeFile(`${path}.new`, content, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
const verify = (...files: string[]) => verifyAudit({ files, mixed: false, expected: [], after: [] });
const problemsOf = async (...files: string[]): Promise<string[]> => {
  const { files: each, problems } = await verify(...files);
  return [...each.flatMap(({ problems: own }) => own.map(({ problem }) => problem)), ...problems];
};

const intent = {
  operation: 'decode',
  caller: { name: 'ana' },
  peer: undefined,
  namespace: 'payments',
} as const;

describe('an audit file', () => {
  it('has mode 0600 and a single chain across consecutive processes', async () => {
    await appendOnce('a');
    await appendOnce('b');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await values(path)).toEqual(['a', 'b']);
    expect(await problemsOf(path)).toEqual([]);
    expect((await text(path)).match(/"event":"opened"/g)).toHaveLength(2);
  });

  it.each([
    ['half a line', '{"torn":'],
    ['several invalid lines', 'x\n\ny\n{"half'],
    ['bytes that are not text', Buffer.from([0, 255, 10, 128])],
  ])('continues after a crash that left %s, and records the leftover bytes', async (_, torn) => {
    await appendOnce('whole');
    await appendFile(path, torn);
    await appendOnce('next', 'last');
    expect(await values(path)).toEqual(['whole', 'next', 'last']);
    expect(await problemsOf(path)).toEqual([]);
    const changed = (await readFile(path))
      .toString('latin1')
      .replace(Buffer.from(torn).toString('latin1'), 'z'.repeat(torn.length));
    await writeFile(path, Buffer.from(changed, 'latin1'));
    expect(await problemsOf(path)).not.toEqual([]);
  });

  it('keeps the last line even if its line feed is missing', async () => {
    await appendOnce('whole');
    await truncate(path, (await stat(path)).size - 1);
    await appendOnce();
    expect(await problemsOf(path)).toEqual([]);
  });

  it('continues its chain in a new file after a rotation', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    vi.advanceTimersByTime(5_000);
    const file = await auditFileAt(path);
    await file.append([line('old')]);
    await rename(path, `${path}.1`);
    vi.advanceTimersByTime(999);
    // The last check is less than a second old, so the file is checked only after the write.
    await file.append([line('twice')]);
    await rename(path, `${path}.2`);
    vi.advanceTimersByTime(1_000);
    await file.append([line('new')]);
    await rename(path, `${path}.3`);
    file.reopen();
    await file.append([line('newer')]);
    await file.close();
    const rotated = [1, 2, 3].map((n) => `${path}.${n}`);
    expect(await Promise.all([...rotated, path].map(values))).toEqual([
      ['old', 'twice'],
      ['twice'],
      ['new'],
      ['newer'],
    ]);
    expect(await problemsOf(path, ...rotated)).toEqual([]);
    expect(await problemsOf(path, ...rotated.slice(0, 2))).toEqual([
      expect.stringContaining('a file are missing'),
    ]);
    const after = [(await verify(`${path}.3`)).files[0]!.head!];
    expect((await verifyAudit({ files: [path], mixed: false, expected: [], after })).ok).toBe(true);
  });

  it.each([
    [true, { writes: 33, folders: 1 }],
    [false, { writes: 0, folders: 0 }],
  ])('contains every appended line (with fsync: %s)', async (fsync, synced) => {
    const writes = vi.spyOn(fileHandle, 'datasync');
    const folders = vi.spyOn(fileHandle, 'sync');
    for (const process of ['a', 'b', 'c']) {
      const file = await auditFileAt(path, { fsync });
      for (let n = 0; n < 10; n += 1) await file.append([line(`${process}${n}`), line(`${process}${n}b`)]);
      await file.close();
    }
    expect(await values(path)).toHaveLength(60);
    expect(await problemsOf(path)).toEqual([]);
    expect({ writes: writes.mock.calls.length, folders: folders.mock.calls.length }).toEqual(synced);
  });
});

describe('an audit file that changes between two writes', () => {
  const cases: [
    what: string,
    act: (file: AuditFile) => Promise<unknown>,
    expected: { readonly isWhole?: true; readonly isLogged?: true },
  ][] = [
    ['it is renamed', () => rename(path, `${path}.1`), { isWhole: true }],
    ['it is removed', () => unlink(path), {}],
    ['it is replaced by an empty file', () => replace(''), {}],
    ['it is replaced by a copy', async () => replace(await text(path)), {}],
    [
      'it is replaced by a copy, and checked before the next write',
      async (file) => {
        await replace(await text(path));
        file.reopen();
      },
      { isWhole: true },
    ],
    [
      'it is replaced by a longer audit file',
      async () => {
        const other = await auditFileAt(`${path}.new`);
        await other.append([line('x'.repeat(1_000))]);
        await other.close();
        await rename(`${path}.new`, path);
      },
      {},
    ],
    ['it is truncated within a line', () => truncate(path, 10), { isLogged: true }],
    [
      'it is truncated after a line, and checked before the next write',
      async (file) => {
        await truncate(path, (await text(path)).indexOf('\n') + 1);
        file.reopen();
      },
      { isLogged: true },
    ],
    ['another process writes to it', () => appendFile(path, line('foreign')), { isLogged: true }],
    [
      'its folder is removed and created again',
      async () => {
        await rm(directory, { recursive: true });
        await mkdir(directory, { mode: 0o700 });
      },
      {},
    ],
  ];

  it.each(cases)(
    'loses no later line when %s, and lets the verifier detect what was lost',
    async (_, act, { isWhole, isLogged }) => {
      const { log, lines } = keptLog();
      const file = await auditFileAt(path, { now: () => 0, log });
      await file.append([line('before')]);
      await act(file);
      await file.append([line('after')]);
      expect(await values(path)).toContain('after');
      await file.append([line('last')]);
      await file.close();
      const files = (await readdir(directory)).map((name) => join(directory, name));
      const found = await problemsOf(...files);
      if (isWhole) expect(found).toEqual([]);
      else expect(found).not.toEqual([]);
      const size = expect.any(Number);
      const entry = expect.objectContaining({ severity: 'ERROR', file: path, expected: size, found: size });
      expect(lines.map((one) => JSON.parse(one))).toEqual(isLogged ? [entry] : []);
    },
  );

  it('rejects lines while the folder is missing, and continues once the folder exists again', async () => {
    const file = await auditFileAt(path, { now: () => 0 });
    const { log, lines } = keptLog();
    const audit = createAudit(auditSink(file.append, { log }));
    await audit.begin(intent);
    await rename(directory, `${directory}.gone`);
    await expect(audit.begin(intent)).rejects.toMatchObject({ status: 503, code: 'audit_unavailable' });
    await mkdir(directory, { mode: 0o700 });
    await audit.begin(intent);
    expect(lines.map((one) => JSON.parse(one).message)).toEqual([
      'audit cannot be written',
      'audit can be written again',
    ]);
    await file.close();
  });

  it.each([
    ['a folder', () => mkdir(path)],
    ['a symbolic link', () => symlink('/dev/null', path)],
    [
      'a file that others can write',
      async () => {
        await writeFile(path, '');
        await chmod(path, 0o666);
      },
    ],
  ])('rejects lines while %s is at its path', async (_, act) => {
    const file = await auditFileAt(path, { now: () => 0 });
    await rename(path, `${path}.1`);
    await act();
    await expect(file.append([line('a')])).rejects.toThrow();
    await rm(path, { recursive: true });
    await file.append([line('b')]);
    expect(await values(path)).toEqual(['b']);
    await file.close();
  });

  it.each([
    ['other users may write to it', () => chmod(path, 0o666), () => chmod(path, 0o600)],
    ['it has a second hard link', () => link(path, `${path}.other`), () => unlink(`${path}.other`)],
  ])('rejects lines while it is open and %s', async (_, expose, undo) => {
    const { log, lines } = keptLog();
    const file = await auditFileAt(path, { log });
    await file.append([line('a')]);
    await expose();
    file.reopen();
    await expect(file.append([line('b')])).rejects.toMatchObject({ code: 'untrusted' });
    await undo();
    await file.append([line('c')]);
    expect(await values(path)).toEqual(['a', 'c']);
    expect(await problemsOf(path)).toEqual([]);
    expect(lines).toEqual([]);
    await file.close();
  });

  it('writes lines again on a network file system only if the file was renamed', async () => {
    const nfs: any = { type: 0x6969 };
    vi.spyOn(fs, 'statfs').mockResolvedValue(nfs);
    const check = vi.spyOn(fs, 'lstat');
    syncBuiltinESMExports();
    onTestFinished(() => {
      vi.restoreAllMocks();
      syncBuiltinESMExports();
    });
    const file = await auditFileAt(path, { now: () => 0 });
    check.mockRejectedValueOnce(Object.assign(new Error('stale file handle'), { code: 'ESTALE' }));
    await expect(file.append([line('a')])).rejects.toMatchObject({ code: 'ESTALE' });
    await rename(path, `${path}.1`);
    await file.append([line('b')]);
    await file.close();
    expect([await values(`${path}.1`), await values(path)]).toEqual([['a', 'b'], ['b']]);
  });

  it('rejects lines after the third attempt if the file is renamed before each write', async () => {
    let renames = 0;
    let isRenamed = false;
    const file = await openAuditFile(path, {
      log: keptLog().log,
      instance: newInstance(),
      // Each write opens the file, and then reads this option.
      get fsync() {
        if (isRenamed && existsSync(path)) renameSync(path, `${path}.${(renames += 1)}`);
        return false;
      },
    });
    isRenamed = true;
    await expect(file.append([line('a')])).rejects.toThrow('replaced faster');
    expect(renames).toBe(3);
    isRenamed = false;
    await file.append([line('b')]);
    await file.close();
    expect(await values(path)).toEqual(['b']);
  });
});

describe('openAuditFile', () => {
  it.each([
    ['a symbolic link without a target', () => symlink(join(directory, 'nowhere'), path)],
    [
      'a second hard link',
      async () => {
        await writeFile(path, '', { mode: 0o600 });
        await link(path, `${path}.other`);
      },
    ],
    ['a FIFO', async () => execFileSync('mkfifo', ['-m', '600', path])],
    ['a file in a folder that others can write', () => chmod(directory, 0o770)],
  ])('rejects the untrusted file: %s', async (_, make) => {
    await make();
    await expect(auditFileAt(path)).rejects.toMatchObject({ code: 'untrusted' });
  });
});

const appender = fileURLToPath(new URL('../support/append-lines.ts', import.meta.url));

/**
 * Starts a process that appends lines. The operating system rejects bytes beyond a limit, as if the disk were
 * full.
 */
const limited = (blocks: number) =>
  spawn(
    'sh',
    ['-c', `ulimit -f ${blocks}; trap '' XFSZ; exec "$0" "$1" "$2"`, process.execPath, appender, path],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );

describe('an audit file on a full disk', () => {
  it('confirms only complete lines, rejects all others, and continues once there is space', async () => {
    const child = limited(16);
    const confirmed = (await textOf(child.stdout)).trim().split('\n');
    expect(confirmed.at(-1)).toBe('refused');
    const written = confirmed.filter((one) => one !== 'refused');
    expect(written.length).toBeGreaterThan(10);
    await appendOnce('afterwards');
    const there = await values(path);
    expect(written.filter((value) => !there.includes(value))).toEqual([]);
    expect(there.at(-1)).toBe('afterwards');
    expect(await problemsOf(path)).toEqual([]);
  });

  it.each([
    ['fails', undefined],
    ['is incomplete', 10],
  ])('rejects the lines of a write that %s, and continues with the next write', async (_, length) => {
    const file = await auditFileAt(path);
    vi.spyOn(fileHandle, 'write').mockImplementationOnce(function (this: FileHandle, bytes) {
      return length === undefined ? Promise.reject(new Error('EIO')) : this.write(bytes.slice(0, length));
    });
    await expect(file.append([line('rejected')])).rejects.toThrow();
    await file.append([line('next')]);
    await file.close();
    expect(await values(path)).toEqual(['next']);
    expect(await problemsOf(path)).toEqual([]);
  });

  it('logs the failure once, counts each lost line, and rejects each operation with 503', async () => {
    const { log, lines } = keptLog();
    let failures = 0;
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    const audit = createAudit(auditSink(() => Promise.reject(full), { log, failed: () => (failures += 1) }));
    for (let n = 0; n < 3; n += 1) {
      await expect(audit.begin(intent)).rejects.toMatchObject({
        status: 503,
        code: 'audit_unavailable',
        retryAfter: 5,
      });
    }
    await expect(audit.denied(intent, 'forbidden')).rejects.toMatchObject({ code: 'audit_unavailable' });
    expect(failures).toBe(4);
    expect(lines.map((one) => JSON.parse(one))).toEqual([
      expect.objectContaining({ severity: 'ERROR', reason: 'ENOSPC', message: 'audit cannot be written' }),
    ]);
  });
});

it(
  'keeps every confirmed line in a usable file, at whatever moment SIGKILL ends the process',
  { timeout: 240_000 },
  async () => {
    const confirmed: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      const child = spawn(process.execPath, [appender, path], { stdio: ['ignore', 'pipe', 'inherit'] });
      let out = '';
      child.stdout.setEncoding('utf8').on('data', (piece: string) => (out += piece));
      while (!out.includes('\n')) {
        expect(child.exitCode, 'the process has ended by itself').toBeNull();
        await delay(10);
      }
      await delay(20 + round * 7);
      child.kill('SIGKILL');
      await once(child, 'close');
      confirmed.push(...out.split('\n').slice(0, -1));
    }
    const there = new Set(await values(path));
    expect(confirmed.filter((value) => !there.has(value))).toEqual([]);
    await appendOnce();
    expect(await problemsOf(path)).toEqual([]);
  },
);

it('keeps confirmed lines in an existing file while files are renamed, removed and replaced under load', async () => {
  const file = await auditFileAt(path);
  const sink = auditSink(file.append, { log: keptLog().log });
  const confirmed: number[] = [];
  const over = new AbortController();
  let next = 0;
  let since = 0;
  const write = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const own = (next += 1);
      try {
        await sink.writeLine(line(`${own}`));
        confirmed.push(own);
      } catch {
        await delay(5);
      }
    }
  };
  const writers = Array.from({ length: 8 }, write);
  for (let n = 0; n < 60; n += 1) {
    await delay(3 + (n % 5));
    if (n % 3 === 0) await rename(path, `${path}.${n}`).catch(() => undefined);
    else {
      await (n % 3 === 1 ? unlink(path).catch(() => undefined) : replace(''));
      // Lines that were written earlier may have been lost with the removed file.
      since = next;
    }
  }
  const later = () => confirmed.filter((own) => own > since);
  await expect.poll(() => later().length, { timeout: 10_000 }).toBeGreaterThan(10);
  over.abort();
  await Promise.all(writers);
  await file.close();
  const files = (await readdir(directory)).map((name) => join(directory, name));
  const there = new Set((await Promise.all(files.map(values))).flat());
  expect(later().filter((own) => !there.has(`${own}`))).toEqual([]);
});

it('rejects lines with 503 when no program reads standard output and its buffer is full', async () => {
  // A connection that nothing reads from accepts only what fits into the operating system's buffers.
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.pause()));
  const client = connect(await listenOnLoopback(server), '127.0.0.1');
  await once(client, 'connect');
  expect(client).toBeInstanceOf(Writable);
  const output = standardOutput(client);
  const append = (lines: readonly string[]) => output.append(lines.join(''));
  const audit = createAudit(auditSink(append, { log: keptLog().log, waitMs: 200 }));
  const before = performance.now();
  const fill = async (): Promise<void> => {
    for (let n = 0; n < 100_000; n += 1) await audit.begin({ ...intent, justification: 'r'.repeat(900) });
  };
  await expect(fill()).rejects.toMatchObject({ status: 503, code: 'audit_unavailable' });
  expect(performance.now() - before).toBeLessThan(20_000);
  client.destroy();
  for (const socket of sockets) socket.destroy();
  server.close();
});

it('returns the chain head of the last line that was written', async () => {
  const file = await auditFileAt(path);
  await file.append([line('a')]);
  const head = file.head();
  await file.append([line('b')]);
  await file.close();
  const found = await verifyAudit({ files: [path], mixed: false, expected: [head, file.head()], after: [] });
  expect(found.ok).toBe(true);
  expect(formatHead(found.files[0]!.head!)).toBe(formatHead(file.head()));
});
