import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  chainedOutput,
  closedLine,
  createAudit,
  formatHead,
  newInstance,
  verifyAudit,
} from '@temporal-kms/audit';
import { beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../src/audit/commands.ts';
import { auditFileAt } from '../support/audit-file.ts';
import { folderForFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { auditSink } from '../../src/audit/open-audit.ts';

const directory = await folderForFile();
const path = join(directory, 'audit.jsonl');
let original: Buffer;
let lines: Buffer[];
// Mutation testing runs only the tests that reach a mutant, so each test writes the file.
beforeEach(async () => {
  rmSync(path, { force: true });
  for (let process = 0; process < 3; process += 1) await writeProcess();
  original = readFileSync(path);
  lines = original
    .toString('latin1')
    .split(/(?<=\n)/)
    .map((line) => Buffer.from(line, 'latin1'));
});

/** Writes the lines of one process to the audit file. */
async function writeProcess(): Promise<void> {
  const instance = newInstance();
  const file = await auditFileAt(path, { instance });
  const sink = auditSink(file.append, { log: keptLog().log });
  const audit = createAudit(sink);
  for (let n = 0; n < 4; n += 1) {
    const justification = `"},"chain":{"instance":"${'0'.repeat(16)}","seq":7,"prev":"${'0'.repeat(64)}"}}`;
    const of = {
      operation: 'decode',
      caller: { name: 'ana' },
      peer: undefined,
      namespace: 'payments',
    } as const;
    await (await audit.begin({ ...of, justification })).end('complete');
  }
  await sink.writeLine(closedLine(instance));
  await file.close();
}

const NONE = { mixed: false, expected: [], after: [] } as const;
let copies = 0;
function changed(bytes: Buffer | readonly Buffer[]): string {
  const copy = join(directory, `copy-${(copies += 1)}.jsonl`);
  writeFileSync(copy, Buffer.isBuffer(bytes) ? bytes : Buffer.concat(bytes));
  return copy;
}
const isOk = async (bytes: Buffer | readonly Buffer[]): Promise<boolean> =>
  (await verifyAudit({ ...NONE, files: [changed(bytes)] })).ok;

describe('verifyAudit', () => {
  it('accepts an unchanged file', async () => {
    expect(lines.length).toBe(30);
    const verified = await verifyAudit({ ...NONE, files: [path] });
    expect(verified).toMatchObject({ ok: true, problems: [], notes: [] });
  });

  it('reports each line that is removed, repeated, moved or inserted', async () => {
    for (let n = 0; n < lines.length; n += 1) {
      const line = lines[n]!;
      expect(await isOk(lines.toSpliced(n, 1)), `removed ${n}`).toBe(n === lines.length - 1);
      expect(await isOk(lines.toSpliced(n, 0, line)), `repeated ${n}`).toBe(false);
      expect(await isOk(lines.toSpliced(n, 0, Buffer.from('{"put":"in"}\n'))), `put in ${n}`).toBe(false);
      if (n > 0) expect(await isOk(lines.toSpliced(n - 1, 2, line, lines[n - 1]!)), `moved ${n}`).toBe(false);
      if (n > 0 && n < lines.length - 1)
        expect(await isOk([...lines.slice(0, n), ...lines.slice(n + 1), line]), `to the end ${n}`).toBe(
          false,
        );
    }
  });

  it('reports a change of any byte, but in the last line only if the head is given', async () => {
    const head = (await verifyAudit({ ...NONE, files: [path] })).files[0]!.head!;
    const lastLine = original.length - lines.at(-1)!.length;
    for (let at = 0; at < original.length; at += 211) {
      const bytes = Buffer.from(original);
      bytes[at]! ^= 1;
      const verified = await verifyAudit({ ...NONE, files: [changed(bytes)], expected: [head] });
      expect(verified.ok, `byte ${at}`).toBe(false);
      if (at < lastLine) expect(await isOk(bytes), `byte ${at}`).toBe(false);
    }
  });

  it('reports a truncation within a line and, if the head is given, a truncation between two lines', async () => {
    const head = (await verifyAudit({ ...NONE, files: [path] })).files[0]!.head!;
    for (let end = 1; end < original.length; end += 307) {
      const bytes = original.subarray(0, end);
      const isBetween = bytes.at(-1) === 0x0a;
      expect(await isOk(bytes), `cut at ${end}`).toBe(isBetween);
    }
    for (let n = 1; n < lines.length; n += 1) {
      const file = changed(lines.slice(0, n));
      const verified = await verifyAudit({ ...NONE, files: [file], expected: [head] });
      expect(verified.ok).toBe(false);
      expect(verified.problems).toEqual([expect.stringContaining(formatHead(head))]);
      const isClosed = lines[n - 1]!.includes('"event":"closed"');
      expect((await verifyAudit({ ...NONE, files: [file] })).notes).toHaveLength(isClosed ? 0 : 1);
    }
  });

  it('reports missing lines at the beginning, even before a process’s first line', async () => {
    for (let n = 1; n < lines.length; n += 1) expect(await isOk(lines.slice(n)), `from ${n}`).toBe(false);
  });

  it('reports a duplicate file, an inserted chain, and an empty file', async () => {
    const twice = await verifyAudit({ ...NONE, files: [path, changed(original)] });
    expect(twice.ok).toBe(false);
    const other = join(directory, 'other.jsonl');
    await (await auditFileAt(other)).close();
    expect(await isOk([...lines.slice(0, 5), readFileSync(other), ...lines.slice(5)])).toBe(false);
    expect(await isOk(Buffer.alloc(0))).toBe(false);
    expect(await isOk([Buffer.from('an older version\n'), ...lines])).toBe(false);
  });

  it('accepts a file that continues after the expected head', async () => {
    const head = { seq: 5, hash: createHash('sha256').update(lines[4]!).digest('hex') };
    expect((await verifyAudit({ ...NONE, files: [path], expected: [head] })).ok).toBe(true);
    expect((await verifyAudit({ ...NONE, files: [path], expected: [{ ...head, seq: 6 }] })).ok).toBe(false);
  });
});

it('verifies the audit lines of several processes in output that also contains other lines', async () => {
  let out = '{"severity":"INFO","message":"listening"}\n';
  for (const instance of [newInstance(), newInstance()]) {
    const { append } = await chainedOutput(async (text) => void (out += text), {
      instance,
      digestKey: undefined,
    });
    for (let n = 0; n < 5; n += 1) {
      await append([closedLine(instance)]);
      out += '{"severity":"INFO","message":"request"}\n';
    }
  }
  const file = changed(Buffer.from(out));
  expect(await verifyAudit({ ...NONE, mixed: true, files: [file] })).toMatchObject({ ok: true });
  const without = changed(Buffer.from(out.split('\n').toSpliced(4, 1).join('\n')));
  expect(await verifyAudit({ ...NONE, mixed: true, files: [without] })).toMatchObject({ ok: false });
});

/** Runs a command as the command line would run it. */
async function run(...args: string[]) {
  const printed = { stdout: '', stderr: '' };
  const status = await runCommand(args, {
    out: (text) => void (printed.stdout += text),
    err: (text) => void (printed.stderr += text),
  });
  return { status, ...printed };
}

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

describe('the command verify-audit', () => {
  it('prints the result and exits with 0, 1 or 64', async () => {
    const fine = await run('verify-audit', path);
    expect(fine).toMatchObject({ status: 0, stdout: expect.stringMatching(/30 lines.*\nok\n$/) });
    const bad = changed(lines.toSpliced(3, 1));
    const found = await run('verify-audit', bad, '--json');
    expect(found.status).toBe(1);
    expect(JSON.parse(found.stdout)).toMatchObject({
      ok: false,
      files: [{ problems: [{ line: 4, problem: 'lines are missing: 4 to 4' }] }],
    });
    expect(await run('verify-audit', join(directory, 'nowhere'))).toMatchObject({ status: 1 });
    expect(await run('verify-audit')).toMatchObject({
      status: 64,
      stderr: expect.stringContaining('Usage:'),
    });
    expect(await run('verify-audit', path, '--expect-head', 'x')).toMatchObject({ status: 64 });
    expect(await run('verify-audit', '--help')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('Usage:'),
    });
    expect((await run('--help')).status).toBeUndefined();
    const whole = spawnSync(process.execPath, [main, 'verify-audit', bad], { encoding: 'utf8' });
    expect(whole).toMatchObject({ status: 1, stdout: expect.stringMatching(/NOT ok\n$/), stderr: '' });
  });

  it('treats the names of properties that every object inherits as unexpected arguments', async () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty'])
      expect((await run(name, '--help')).status, name).toBeUndefined();
    const whole = spawnSync(process.execPath, [main, '__proto__'], { encoding: 'utf8' });
    expect(whole).toMatchObject({
      status: 64,
      stdout: '',
      stderr: expect.stringMatching(/^Unexpected argument '__proto__'.*\nUsage: main/),
    });
  });

  it('agrees with a verifier in Python that follows the documentation', async () => {
    const script = `
import hashlib, json, sys
before, seq, ok = '0' * 64, 0, True
for line in open(sys.argv[1], 'rb'):
    chain = json.loads(line)['chain']
    ok = ok and chain['seq'] == seq + 1 and chain['prev'] == before
    before, seq = hashlib.sha256(line).hexdigest(), chain['seq']
print(ok, f'{seq}:{before}')
`;
    const theirs = execFileSync('python3', ['-c', script, path], { encoding: 'utf8' }).trim();
    const ours = JSON.parse((await run('verify-audit', path, '--json')).stdout).files[0].head;
    expect(theirs).toBe(`True ${ours}`);
  });
});

describe('the command audit-digest', () => {
  it("prints digests with which a history's payloads can be found in the audit", async () => {
    const key = 'ab'.repeat(32);
    const keyFile = join(directory, 'digest.key');
    writeFileSync(keyFile, `${key}\n`);
    const data = Buffer.from('ciphertext');
    const exported = join(directory, 'export.json');
    const payload = { metadata: { encoding: 'eA==' }, data: data.toString('base64') };
    writeFileSync(exported, JSON.stringify({ events: [{ a: { 'b/c': { payloads: [payload] } } }] }));
    const digest = createHmac('sha256', Buffer.from(key, 'hex')).update(data).digest().subarray(0, 16);
    expect(await run('audit-digest', '--key-file', keyFile, exported)).toEqual({
      status: 0,
      stdout: `${digest.toString('base64url')} ${exported} /events/0/a/b~1c/payloads/0\n`,
      stderr: '',
    });
    writeFileSync(keyFile, 'abcd');
    expect(await run('audit-digest', '--key-file', keyFile, exported)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('64 or more hexadecimal digits'),
    });
    writeFileSync(keyFile, key);
    chmodSync(keyFile, 0o622);
    expect(await run('audit-digest', '--key-file', keyFile, exported)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('chmod go-w'),
    });
  });
});
