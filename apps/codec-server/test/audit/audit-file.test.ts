import { execFileSync, spawn } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAuditFile } from '../../src/audit/audit-file.ts';
import { createAudit } from '../../src/audit/audit.ts';
import { auditSink } from '../../src/audit/sink.ts';
import { keptLog } from '../support/stack.ts';

let directory: string;
let count = 0;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'codec-audit-'));
});
afterAll(() => rm(directory, { recursive: true }));

const newPath = (): string => join(directory, `audit-${(count += 1)}.jsonl`);
const text = (path: string) => readFile(path, 'utf8');
const intent = {
  operation: 'decode',
  caller: { name: 'ana' },
  peer: undefined,
  namespace: 'payments',
} as const;

test('is made for its owner alone, and what is there is kept', async () => {
  const path = newPath();
  for (const line of ['a\n', 'b\n']) {
    const file = await openAuditFile(path);
    await file.append(line);
    await file.close();
  }
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await text(path)).toBe('a\nb\n');
});

test('begins on a line of its own behind one that was cut off by a crash', async () => {
  const path = newPath();
  await appendFile(path, 'whole\n{"torn":');
  const file = await openAuditFile(path);
  await file.append('next\n');
  await file.append('last\n');
  expect(await text(path)).toBe('whole\n{"torn":\nnext\nlast\n');
  await file.close();
});

describe('a file that is rotated', () => {
  test('is left for the new one at the next write after a second', async () => {
    const path = newPath();
    let now = 0;
    const file = await openAuditFile(path, () => now);
    await file.append('old\n');
    await rename(path, `${path}.1`);
    now += 1_000;
    await file.append('new\n');
    expect([await text(`${path}.1`), await text(path)]).toEqual(['old\n', 'new\n']);
    await file.close();
  });

  test('is left at once when told to', async () => {
    const path = newPath();
    const file = await openAuditFile(path, () => 0);
    await rename(path, `${path}.1`);
    file.reopen();
    await file.append('new\n');
    expect(await text(path)).toBe('new\n');
    await file.close();
  });
});

test('two processes write whole lines to one file', async () => {
  const path = newPath();
  const files = await Promise.all([openAuditFile(path), openAuditFile(path)]);
  await Promise.all(
    files.map(async (file, index) => {
      for (let n = 0; n < 50; n += 1) await file.append(`${(index === 0 ? 'a' : 'b').repeat(3_000)}\n`);
    }),
  );
  const lines = (await text(path)).trimEnd().split('\n');
  expect(lines).toHaveLength(100);
  expect(lines.filter((one) => !/^(a{3000}|b{3000})$/.test(one))).toEqual([]);
  for (const file of files) await file.close();
});

describe('an audit that can not be written', () => {
  test('on a full disk is 503, told once in the log and counted each time', async () => {
    const file = await openAuditFile('/dev/full');
    const { log, lines } = keptLog();
    let failures = 0;
    const audit = createAudit(auditSink(file.append, { log, failed: () => (failures += 1) }));
    for (let n = 0; n < 3; n += 1) {
      await expect(audit.begin(intent)).rejects.toMatchObject({
        status: 503,
        code: 'audit_unavailable',
        retryAfter: 5,
      });
    }
    await expect(audit.denied(intent, 'forbidden')).rejects.toMatchObject({ code: 'audit_unavailable' });
    expect(failures).toBe(4);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ level: 50, reason: 'ENOSPC', msg: 'the audit can not be written' }),
    ]);
    await file.close();
  });

  test('to a pipe that nobody empties is 503 once it is full, and holds up nothing', async () => {
    const path = newPath();
    execFileSync('mkfifo', [path]);
    // Opens it and reads nothing.
    const reader = spawn('sh', ['-c', `exec 3< "${path}"; exec sleep 60`]);
    const file = await eventuallyOpen(path);
    const audit = createAudit(auditSink(file.append, { log: keptLog().log, waitMs: 200 }));
    const before = performance.now();
    const fill = async (): Promise<void> => {
      for (let n = 0; n < 1_000; n += 1) await audit.begin({ ...intent, reason: 'r'.repeat(500) });
    };
    await expect(fill()).rejects.toMatchObject({ status: 503, code: 'audit_unavailable' });
    expect(performance.now() - before).toBeLessThan(5_000);
    await file.close();
    reader.kill();
  });

  test('because its file can no longer be opened is 503 until it can be', async () => {
    const path = newPath();
    let now = 0;
    const file = await openAuditFile(path, () => now);
    const { log, lines } = keptLog();
    const audit = createAudit(auditSink(file.append, { log }));
    await rename(path, `${path}.1`);
    await mkdir(path);
    now += 1_000;
    await expect(audit.begin(intent)).rejects.toMatchObject({ code: 'audit_unavailable' });
    await rm(path, { recursive: true });
    await audit.begin(intent);
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
      'the audit can not be written',
      'the audit is written again',
    ]);
    await file.close();
  });
});

async function eventuallyOpen(path: string) {
  for (let n = 0; ; n += 1) {
    try {
      return await openAuditFile(path);
    } catch (error) {
      if (n === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
