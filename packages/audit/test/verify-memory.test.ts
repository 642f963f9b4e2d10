import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { chain, type ChainHead, newInstance, NOTHING } from '../src/chain.ts';
import { closedLine, openedLine } from '../src/lines.ts';

/*
 * The verifying process's heap is a small fraction of the file's size, so that the process fails if its
 * memory grows with the file.
 */

const MiB = 2 ** 20;
const HEAP_MIB = 24;
const FILE_BYTES = 72 * MiB;

const directory = await mkdtemp(join(tmpdir(), 'audit-verify-'));
afterAll(() => rm(directory, { recursive: true }));

async function verify(...files: string[]) {
  const script = join(import.meta.dirname, 'support', 'verify.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [
    `--max-old-space-size=${HEAP_MIB}`,
    script,
    ...files,
  ]);
  return JSON.parse(stdout);
}

const entry = (n: number): string =>
  `{"severity":"NOTICE","n":${n},"audit":{"text":"${'x'.repeat(9_000)}"}}\n`;

/** Writes a file whose chain continues from a given line, in blocks of a hundred lines. */
async function writeAudit(file: string, after: ChainHead, bytes: number): Promise<ChainHead> {
  await using handle = await open(file, 'w');
  const instance = newInstance();
  let { head, bytes: block } = chain(instance, after, [openedLine(instance, { at: 0 })]);
  let size = 0;
  while (size < bytes) {
    size += (await handle.write(block)).bytesWritten;
    ({ head, bytes: block } = chain(
      instance,
      head,
      Array.from({ length: 100 }, (_, n) => entry(n)),
    ));
  }
  const { bytes: last, head: end } = chain(instance, head, [closedLine(instance)]);
  await handle.write(Buffer.concat([block, last]));
  return end;
}

describe('verifyAudit of a file several times larger than the heap', () => {
  it('verifies the file together with the next file, and finds a truncated last line', async () => {
    const rotated = join(directory, 'rotated');
    const current = join(directory, 'current');
    const cut = join(directory, 'cut');
    const head = await writeAudit(rotated, NOTHING, FILE_BYTES);
    await writeAudit(current, head, MiB);
    expect(await verify(current, rotated)).toMatchObject({ ok: true, problems: [] });

    await writeAudit(cut, NOTHING, MiB);
    await using handle = await open(cut, 'r+');
    await handle.truncate((await handle.stat()).size - 7);
    expect(await verify(cut)).toMatchObject({
      ok: false,
      ofFiles: [expect.stringContaining('ends within a line')],
    });
  });

  it.each([
    ['one line without a line feed', () => Buffer.alloc(FILE_BYTES, '{'), 'is longer than 1048576 bytes'],
    [
      'one line',
      () => Buffer.alloc(FILE_BYTES, '{').fill('\n', FILE_BYTES - 1),
      'is longer than 1048576 bytes',
    ],
    ['two million empty lines', () => Buffer.alloc(2_000_000, '\n'), 'has no link'],
  ])('reports a problem in constant memory: %s', async (_, make, problem) => {
    const file = join(directory, 'inserted');
    await writeAudit(file, NOTHING, 1);
    await writeFile(file, make(), { flag: 'a' });
    expect(await verify(file)).toMatchObject({
      ok: false,
      problems: [],
      ofFiles: expect.arrayContaining([expect.stringContaining(problem)]),
    });
  });
});
