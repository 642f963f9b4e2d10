import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { chain, hashOf, newInstance, NOTHING } from '../src/chain.ts';
import { type FileEnd, isSameFile, readEnd } from '../src/file-end.ts';

const directory = await mkdtemp(join(tmpdir(), 'audit-end-'));
afterAll(() => rm(directory, { recursive: true }));

/** Writes this text to a file, and reads the end of the file. Each read returns at most 100,000 bytes. */
async function endOf(text: string, size = text.length): Promise<FileEnd> {
  const file = join(directory, 'audit.jsonl');
  await writeFile(file, text);
  await using handle = await open(file, 'r');
  const read = handle.read.bind(handle);
  const inPieces = (into: Buffer, at: number, length: number, position: number) =>
    read(into, at, Math.min(length, 100_000), position);
  return await readEnd(Object.assign(handle, { read: inPieces }), size);
}

describe('readEnd', () => {
  const WINDOW = 2 ** 20;
  const [one = '', two = ''] = chain(newInstance(), NOTHING, ['{"n":1}\n', '{"n":2}\n'])
    .bytes.toString()
    .split(/(?<=\n)/);
  const first = { seq: 1, hash: hashOf(one) };
  const second = { seq: 2, hash: hashOf(two) };
  const nothing: FileEnd = { head: undefined, torn: undefined, isOpen: false };

  it.each<[string, string, FileEnd]>([
    ['is empty', '', nothing],
    ['is an empty line', '\n', nothing],
    ['begins with an empty line', '\ntext\n', nothing],
    ['lacks a line feed', 'text', { ...nothing, isOpen: true }],
    ['has one line', one, { ...nothing, head: first }],
    ['lacks only the last line feed', one + two.trim(), { ...nothing, head: second, isOpen: true }],
    [
      'ends with the rest of a write',
      `${one}x\n\ny`,
      { head: first, torn: { bytes: 5, sha256: hashOf('x\n\ny\n') }, isOpen: true },
    ],
    ['is longer than the window', `${'x'.repeat(WINDOW)}\n${one}${two}`, { ...nothing, head: second }],
    [
      'has its last link in a line that begins before the window',
      `{"n":${one}${'x'.repeat(WINDOW - one.length - 1)}\n`,
      nothing,
    ],
  ])('finds the last line, and the bytes after it, in a file that %s', async (_, text, end) => {
    expect(await endOf(text)).toEqual(end);
  });

  it('rejects a file that becomes shorter', async () => {
    await expect(endOf(one, one.length + 1)).rejects.toThrow('became shorter');
  });
});

it('isSameFile compares the device and the inode', () => {
  const file = { dev: 1, ino: 2 };
  expect(isSameFile(file, { ...file })).toBe(true);
  expect(isSameFile(file, { ...file, dev: 2 })).toBe(false);
  expect(isSameFile(file, { ...file, ino: 1 })).toBe(false);
});
