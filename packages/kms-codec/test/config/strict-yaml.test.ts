import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { strictYamlVectors } from '@temporal-kms/vectors/files';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseStrictYaml, readStrictYaml, StrictYamlError } from '../../src/config/strict-yaml.ts';

function refusal(read: () => unknown): StrictYamlError {
  try {
    read();
  } catch (error) {
    if (error instanceof StrictYamlError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

const parse = (text: string) => parseStrictYaml(Buffer.from(text));

const folder = mkdtempSync(join(tmpdir(), 'strict-yaml-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the strict YAML reader', () => {
  it.each(strictYamlVectors)('follows the vector: $name', ({ text, bytes, value, refused }) => {
    const content = bytes === undefined ? Buffer.from(text!) : Buffer.from(bytes, 'hex');
    if (refused === undefined) expect(parseStrictYaml(content).value).toEqual(value);
    else expect(refusal(() => parseStrictYaml(content)).message).toContain(refused);
  });

  it('returns objects without a prototype', () => {
    expect(Object.getPrototypeOf(parse('a: b\n...\n').value)).toBe(null);
  });

  // [K-2]
  it('rejects a file truncated at any byte', () => {
    const whole = 'a: { b: payments-test, c: [one, two] }\nd:\n  e: f\n...';
    expect(parse(whole).value).toEqual({ a: { b: 'payments-test', c: ['one', 'two'] }, d: { e: 'f' } });
    for (let length = 0; length < whole.length; length += 1) refusal(() => parse(whole.slice(0, length)));
  });

  it('reports each syntax mistake, with the line of the mistake', () => {
    const error = refusal(() => parse('a: no\nb:\n  - 0x10\n  - fine\nb: &x c\n...\n'));
    expect(error.mistakes.map(({ line, path: place }) => `${line} ${place.join('.')}`)).toEqual([
      '1 a',
      '3 b.0',
      '5 b',
      '5 b',
    ]);
    expect(error.message).toContain('  line 3: b[0] is ambiguous without quotes: quote 0x10');
  });

  it('reports each mistake that a schema finds, with the line of the mistake', () => {
    const schema = z.strictObject({ names: z.array(z.string()), limit: z.number(), other: z.string() });
    const file = parse('names:\n  - a\n  - 12\nlimit: "9"\nunknown: a\n...\n');
    expect(refusal(() => file.check(schema)).mistakes).toEqual([
      { line: 3, path: ['names', 1], message: 'must be text, and 12 is not: quote it' },
      { line: 4, path: ['limit'], message: expect.stringContaining('number') },
      { line: undefined, path: ['other'], message: 'is missing' },
      { line: 5, path: [], message: expect.stringContaining('unknown') },
    ]);
    expect(parse('a: 1\n...\n').check(z.strictObject({ a: z.number() }))).toEqual({ a: 1 });
  });

  it('explains in YAML’s terms the mistakes that a schema finds', () => {
    const store = z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('s3'), prefixes: z.array(z.string()).min(1).optional() }),
      z.strictObject({ type: z.literal('gcs'), path: z.string().min(1) }),
    ]);
    const schema = z.strictObject({
      a: z.record(z.string().regex(/^a/, 'must begin with a'), z.array(store)),
    });
    const messages = (text: string) =>
      refusal(() => parse(`${text}\n...\n`).check(schema)).mistakes.map(({ message }) => message);
    expect(messages('a: [ab]\nb: c')).toEqual(['must be a mapping', 'has an unknown field: b']);
    expect(messages('a: { b: [], ab: cd, ac: [x, [w]] }')).toEqual([
      'must begin with a',
      'must be a list',
      'must be a mapping',
      'must be a mapping',
    ]);
    expect(
      messages('a: { a: [{ type: x }, { type: s3, prefixes: [], path: p }, { type: s3, prefixes: [[z]] }] }'),
    ).toEqual(['must be one of s3, gcs', 'is empty', 'has an unknown field: path', 'must be text']);
    expect(messages('a: { a: [{ type: gcs, path: "" }] }')).toEqual(['is empty']);
  });

  it('parses hostile input in linear time, and throws only StrictYamlError', () => {
    for (const text of [
      '['.repeat(1e4),
      'a: '.repeat(1e4),
      '{'.repeat(1e4),
      '- '.repeat(1e4),
      '? '.repeat(1e4),
    ]) {
      refusal(() => parse(`${text}\n...\n`));
    }
    const many = Array.from({ length: 20_000 }, (_, n) => `k${n}: v`).join('\n');
    const entries = parse(`${many}\n...\n`).check(z.record(z.string(), z.string()));
    expect(Object.keys(entries)).toHaveLength(20_000);
  });
});

// [K-9]
describe('readStrictYaml', () => {
  it('returns a file’s value with the digest of its bytes', () => {
    const file = join(folder, 'good.yaml');
    writeFileSync(file, 'a: b\n...\n');
    const { value, digest } = readStrictYaml(file);
    expect(value).toEqual({ a: 'b' });
    expect(digest).toBe(createHash('sha256').update('a: b\n...\n').digest('hex'));
  });

  it('rejects a path at which there is no regular file, and names the setting in the error', () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    for (const file of [join(folder, 'missing'), folder, fifo, '/dev/zero']) {
      expect(refusal(() => readStrictYaml(file, 'POLICY_FILE')).message).toContain('POLICY_FILE');
    }
  });

  it('rejects a file that another user could change, and a symbolic link', () => {
    const file = join(folder, 'shared.yaml');
    writeFileSync(file, 'a: b\n...\n');
    symlinkSync(file, `${file}.link`);
    expect(refusal(() => readStrictYaml(`${file}.link`)).message).toContain('is a symbolic link');
    chmodSync(file, 0o664);
    expect(refusal(() => readStrictYaml(file)).message).toContain('run chmod go-w');
  });

  it.runIf(process.geteuid?.() === 0)('rejects a file that another user owns', () => {
    const file = join(folder, 'other.yaml');
    writeFileSync(file, 'a: b\n...\n');
    chownSync(file, 65_534, 65_534);
    expect(refusal(() => readStrictYaml(file)).message).toContain('belongs to the user 65534');
  });

  it('rejects a file that is too large', () => {
    const file = join(folder, 'large.yaml');
    writeFileSync(file, `# ${'x'.repeat(2 ** 20)}\na: b\n...\n`);
    expect(refusal(() => readStrictYaml(file)).message).toContain('more than');
  });

  it('rejects a file that changes during the read', async () => {
    const file = join(folder, 'changing.yaml');
    writeFileSync(file, large('p'));
    const write = 'fs.writeSync(handle, contents[n % 2], 0)';
    await withWriter(file, write, [large('p'), large('q')], () => {
      const seen = new Set<string>();
      // The scheduler may suspend the other thread for some time.
      for (const end = performance.now() + 30_000; seen.size === 0 && performance.now() < end;) {
        for (const one of mistakesIn(file)) seen.add(one);
      }
      expect([...seen]).toEqual([expect.stringContaining('changed while it was read')]);
    });
  });

  it('never reads a file partially while another thread overwrites it', async () => {
    const file = join(folder, 'written.yaml');
    writeFileSync(file, large('p'));
    const write =
      'fs.ftruncateSync(handle); for (let at = 0; at < contents[n % 2].length; at += 65536) fs.writeSync(handle, contents[n % 2].slice(at, at + 65536), at)';
    await withWriter(file, write, [large('p'), large('q')], () => {
      for (let n = 0; n < 100; n += 1) mistakesIn(file, whole);
    });
  });
});

const both = (letter: string) => ({ a: letter, b: letter });
const whole = (value: unknown) => expect([both('p'), both('q')]).toContainEqual(value);
const large = (letter: string) => `a: ${letter}\n#${'x'.repeat(2 ** 19)}\nb: ${letter}\n...\n`;

/** Returns why a file is rejected, or an empty array if the file is accepted. */
function mistakesIn(file: string, accepted: (value: unknown) => void = () => {}): readonly string[] {
  try {
    accepted(readStrictYaml(file).value);
    return [];
  } catch (error) {
    if (!(error instanceof StrictYamlError)) throw error;
    return error.mistakes.map(({ message }) => message);
  }
}

/**
 * Runs `act` while another thread repeatedly writes a file.
 * @param write JavaScript code that writes `contents[n % 2]`
 */
async function withWriter(file: string, write: string, contents: readonly string[], act: () => void) {
  const code = `
    const { parentPort, workerData: [file, ...contents] } = require('node:worker_threads');
    const fs = require('node:fs');
    const handle = fs.openSync(file, 'r+');
    for (let n = 0; ; n += 1) {
      ${write};
      if (n === 0) parentPort.postMessage('writing');
    }`;
  const writer = new Worker(code, { eval: true, workerData: [file, ...contents] });
  try {
    await new Promise((resolve) => void writer.once('message', resolve));
    act();
  } finally {
    await writer.terminate();
  }
}
