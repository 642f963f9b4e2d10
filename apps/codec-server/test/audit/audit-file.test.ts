import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFile,
  chmod,
  copyFile,
  link,
  mkdir,
  mkdtemp,
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
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createAudit, formatHead, verifyAudit } from '@temporal-kms/audit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { standardOutput } from '../../src/observability/log.ts';
import { auditFileAt } from '../support/audit-file.ts';
import { keptLog } from '../support/stack.ts';
import { auditSink } from '../../src/audit/open-audit.ts';

let root: string;
let directory: string;
let path: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'codec-audit-'));
});
beforeEach(async () => {
  directory = join(root, `${(count += 1)}`);
  await mkdir(directory, { mode: 0o700 });
  path = join(directory, 'audit.jsonl');
});
afterAll(() => rm(root, { recursive: true }));

const text = (file: string) => readFile(file, 'utf8');
const line = (value: string): string => `${JSON.stringify({ value })}\n`;
/** The values of a file's lines, without the opening and closing lines of processes. */
const values = async (file: string): Promise<string[]> =>
  (await text(file))
    .split('\n')
    .map((one) => /^\{"value":"(.*?)"/.exec(one)?.[1])
    .filter((value) => value !== undefined);
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
  it('has mode 0600 and one chain that consecutive processes continue', async () => {
    for (const value of ['a', 'b']) {
      const file = await auditFileAt(path);
      await file.append([line(value)]);
      await file.close();
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await values(path)).toEqual(['a', 'b']);
    expect(await problemsOf(path)).toEqual([]);
    expect((await text(path)).match(/"event":"opened"/g)).toHaveLength(2);
  });

  it.each([
    ['half a line', '{"torn":'],
    ['several lines that are none', 'x\n\ny\n{"half'],
    ['bytes that are no text', Buffer.from([0, 255, 10, 128])],
  ])('continues after %s that a crash left, and records it', async (_, torn) => {
    const first = await auditFileAt(path);
    await first.append([line('whole')]);
    await first.close();
    await appendFile(path, torn);
    const file = await auditFileAt(path);
    await file.append([line('next')]);
    await file.append([line('last')]);
    await file.close();
    expect(await values(path)).toEqual(['whole', 'next', 'last']);
    expect(await problemsOf(path)).toEqual([]);
    const changed = (await readFile(path))
      .toString('latin1')
      .replace(Buffer.from(torn).toString('latin1'), 'z'.repeat(torn.length));
    await writeFile(path, Buffer.from(changed, 'latin1'));
    expect(await problemsOf(path)).not.toEqual([]);
  });

  it('treats a last line that lacks only its line feed as complete', async () => {
    const first = await auditFileAt(path);
    await first.append([line('whole')]);
    await first.close();
    await truncate(path, (await stat(path)).size - 1);
    const file = await auditFileAt(path);
    await file.close();
    expect(await problemsOf(path)).toEqual([]);
  });

  it('is followed after rotation by a new file whose first line continues the chain', async () => {
    let now = 0;
    const file = await auditFileAt(path, { now: () => now });
    await file.append([line('old')]);
    await rename(path, `${path}.1`);
    now += 1_000;
    await file.append([line('new')]);
    expect([await values(`${path}.1`), await values(path)]).toEqual([['old'], ['new']]);
    await rename(path, `${path}.2`);
    file.reopen();
    await file.append([line('newer')]);
    expect(await values(path)).toEqual(['newer']);
    await file.close();
    expect(await problemsOf(path, `${path}.1`, `${path}.2`)).toEqual([]);
    expect(await problemsOf(path, `${path}.1`)).toEqual([expect.stringContaining('a file are missing')]);
    const after = [(await verify(`${path}.2`)).files[0]!.head!];
    expect((await verifyAudit({ files: [path], mixed: false, expected: [], after })).ok).toBe(true);
  });

  it.each([true, false])('contains every appended line (fsync %s)', async (fsync) => {
    const file = await auditFileAt(path, { fsync });
    for (let n = 0; n < 20; n += 1) await file.append([line(`${n}`), line(`${n}b`)]);
    await file.close();
    expect(await values(path)).toHaveLength(40);
    expect(await problemsOf(path)).toEqual([]);
  });
});

describe('an audit file that changes between two writes', () => {
  const cases: [what: string, act: () => Promise<unknown>, isWhole: boolean][] = [
    ['it is renamed', () => rename(path, `${path}.1`), true],
    ['it is removed', () => unlink(path), false],
    [
      'it is replaced by an empty file',
      async () => {
        await writeFile(`${path}.new`, '', { mode: 0o600 });
        await rename(`${path}.new`, path);
      },
      false,
    ],
    [
      'it is replaced by a copy',
      async () => {
        await copyFile(path, `${path}.new`);
        await rename(`${path}.new`, path);
      },
      false,
    ],
    ['it is cut', () => truncate(path, 10), false],
    ['another process writes to it', () => appendFile(path, line('foreign')), false],
    [
      'its folder is removed and made again',
      async () => {
        await rm(directory, { recursive: true });
        await mkdir(directory, { mode: 0o700 });
      },
      false,
    ],
  ];

  it.each(cases)(
    'loses no new line when %s, and the verifier reports what is missing',
    async (_, act, isWhole) => {
      const file = await auditFileAt(path, { now: () => 0 });
      await file.append([line('before')]);
      await act();
      await file.append([line('after')]);
      expect(await values(path)).toContain('after');
      await file.append([line('last')]);
      await file.close();
      const files = (await readdir(directory)).map((name) => join(directory, name));
      const found = await problemsOf(...files);
      if (isWhole) expect(found).toEqual([]);
      else expect(found).not.toEqual([]);
    },
  );

  it('rejects lines while the folder is missing, and continues once it exists again', async () => {
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
  ])('rejects lines while %s is in its place', async (_, act) => {
    const file = await auditFileAt(path, { now: () => 0 });
    await rename(path, `${path}.1`);
    await act();
    await expect(file.append([line('a')])).rejects.toThrow();
    await rm(path, { recursive: true });
    await file.append([line('b')]);
    expect(await values(path)).toEqual(['b']);
    await file.close();
  });

  it('rejects lines while other users may write to the open file', async () => {
    let now = 0;
    const file = await auditFileAt(path, { now: () => now });
    await file.append([line('a')]);
    await chmod(path, 0o666);
    now += 2_000;
    await expect(file.append([line('b')])).rejects.toThrow('can be written by its group or by others');
    await chmod(path, 0o600);
    await file.append([line('c')]);
    expect(await values(path)).toEqual(['a', 'c']);
    expect(await problemsOf(path)).toEqual([]);
    await file.close();
  });
});

const refused = async (): Promise<void> =>
  expect(auditFileAt(path)).rejects.toMatchObject({ code: 'untrusted' });

describe('openAuditFile', () => {
  it('rejects a symbolic link, wherever it leads', async () => {
    await writeFile(join(directory, 'real'), '', { mode: 0o600 });
    await symlink(join(directory, 'real'), path);
    await refused();
    await rm(path);
    await symlink(join(directory, 'nowhere'), path);
    await refused();
  });

  it.each([0o620, 0o602, 0o666, 0o664])('rejects a file with mode %o', async (mode) => {
    await writeFile(path, '');
    await chmod(path, mode);
    await refused();
  });

  it('rejects a file with a second hard link', async () => {
    await writeFile(path, '', { mode: 0o600 });
    await link(path, `${path}.other`);
    await refused();
  });

  it('rejects a FIFO or a device without waiting for its reader', async () => {
    execFileSync('mkfifo', [path]);
    await refused();
    path = '/dev/full';
    await refused();
  });

  it.each([0o770, 0o707, 0o777])('rejects a file in a folder with mode %o', async (mode) => {
    await chmod(directory, mode);
    await refused();
    await chmod(directory, mode | 0o1000);
    await (await auditFileAt(path)).close();
  });

  it('rejects a file below a folder that every user can write to', async () => {
    await chmod(directory, 0o777);
    path = join(directory, 'below', 'audit.jsonl');
    await mkdir(join(directory, 'below'), { mode: 0o700 });
    await refused();
  });

  it.runIf(process.geteuid?.() === 0)(
    'rejects a file if it or its folder belongs to another user',
    async () => {
      await writeFile(path, '', { mode: 0o600 });
      execFileSync('chown', ['12345', path]);
      await refused();
      await rm(path);
      execFileSync('chown', ['12345', directory]);
      await refused();
    },
  );
});

const appender = fileURLToPath(new URL('../support/append-lines.ts', import.meta.url));

/** Starts a process that appends lines; the system rejects bytes beyond a limit, as a full disk does. */
const limited = (blocks: number) =>
  spawn(
    'sh',
    ['-c', `ulimit -f ${blocks}; trap '' XFSZ; exec "$0" "$1" "$2"`, process.execPath, appender, path],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );

describe('an audit file on a full disk', () => {
  it('confirms only complete lines, rejects others, and continues once there is space', async () => {
    const child = limited(16);
    const confirmed = (await textOf(child.stdout)).trim().split('\n');
    expect(confirmed.at(-1)).toBe('refused');
    const written = confirmed.filter((one) => one !== 'refused');
    expect(written.length).toBeGreaterThan(10);
    const file = await auditFileAt(path);
    await file.append([line('afterwards')]);
    await file.close();
    const there = await values(path);
    expect(written.filter((value) => !there.includes(value))).toEqual([]);
    expect(there.at(-1)).toBe('afterwards');
    expect(await problemsOf(path)).toEqual([]);
  });

  it('causes one log line, and a count and a 503 for each lost line', async () => {
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
  'contains every confirmed line after SIGKILL at any moment, and stays usable',
  { timeout: 60_000 },
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
    const file = await auditFileAt(path);
    await file.close();
    expect(await problemsOf(path)).toEqual([]);
  },
);

it('keeps every confirmed line in some remaining file while files are renamed, removed and replaced under load', async () => {
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
      if (n % 3 === 1) await unlink(path).catch(() => undefined);
      else {
        await writeFile(`${path}.new`, '', { mode: 0o600 });
        await rename(`${path}.new`, path);
      }
      // What was asked for before may have been lost with the file.
      since = next;
    }
  }
  await delay(100);
  over.abort();
  await Promise.all(writers);
  await file.close();
  const later = confirmed.filter((own) => own > since);
  expect(later.length).toBeGreaterThan(10);
  const files = (await readdir(directory)).map((name) => join(directory, name));
  const there = new Set((await Promise.all(files.map(values))).flat());
  expect(later.filter((own) => !there.has(`${own}`))).toEqual([]);
});

it('rejects lines with 503 when no program reads standard output and its buffer is full', async () => {
  // A connection without a reader accepts as much as the system's buffers can hold.
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.pause()));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const { connect } = await import('node:net');
  const client = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
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

it('returns the head of its last line', async () => {
  const file = await auditFileAt(path);
  await file.append([line('a')]);
  const head = file.head();
  await file.append([line('b')]);
  await file.close();
  const found = await verifyAudit({ files: [path], mixed: false, expected: [head, file.head()], after: [] });
  expect(found.ok).toBe(true);
  expect(formatHead(found.files[0]!.head!)).toBe(formatHead(file.head()));
});
