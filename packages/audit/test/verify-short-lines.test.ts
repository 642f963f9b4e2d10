import { Hash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { chain, hashOf, MIN_LINKED_BYTES, newInstance, NOTHING } from '../src/chain.ts';
import { openedLine } from '../src/lines.ts';
import { verifyFile } from '../src/verify.ts';

const directory = await mkdtemp(join(tmpdir(), 'audit-lines-'));
afterAll(() => rm(directory, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

/**
 * Verifies an audit in which a second process recorded the bytes that the first process left. In the verified file,
 * the result of `change` replaces these bytes.
 */
async function verify(left: Buffer, change: (left: Buffer) => Buffer) {
  const [one, other] = [newInstance(), newInstance()];
  const first = chain(one, NOTHING, [openedLine(one, { at: 0 })]);
  const torn = { bytes: left.length, sha256: hashOf(left) };
  const at = first.bytes.length + left.length;
  const second = chain(other, first.head, [openedLine(other, { at, torn })]);
  const file = join(directory, 'audit.jsonl');
  await writeFile(file, Buffer.concat([first.bytes, change(left), second.bytes]));
  return await verifyFile(file, { mixed: false, expected: [] });
}

const SIZE = 1.5 * 2 ** 20;
const repeated = (line: string): Buffer => Buffer.alloc(SIZE - (SIZE % line.length), line);

describe.each([
  ['empty lines', repeated('\n')],
  ['lines of one byte', repeated('{\n')],
  ['lines that are one byte too short for a link', repeated(`${'{'.repeat(MIN_LINKED_BYTES - 1)}\n`)],
  ['alternating short and long lines', repeated(`\n${'{'.repeat(MIN_LINKED_BYTES)}\nx\n`)],
])('verifyFile after a crash that left %s', (_, left) => {
  it('counts and hashes each line, and finds a missing or changed line', async () => {
    const count = left.filter((byte) => byte === 0x0a).length;
    expect(await verify(left, (bytes) => bytes)).toMatchObject({ lines: count + 2, problemCount: 0 });
    const begin = left.indexOf('\n') + 1;
    expect((await verify(left, (bytes) => bytes.subarray(begin))).problemCount).toBeGreaterThan(0);
    const changed = await verify(left, (bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.from(' \n')]));
    expect(changed.problems).toContainEqual(expect.objectContaining({ line: count + 2 }));
  });
});

it('verifyFile hashes many short lines in one call, and reports the first line without a link', async () => {
  const update = vi.spyOn(Hash.prototype, 'update');
  const instance = newInstance();
  const { bytes } = chain(instance, NOTHING, [openedLine(instance, { at: 0 })]);
  const file = join(directory, 'audit.jsonl');
  await writeFile(file, Buffer.concat([bytes, Buffer.alloc(4 * 2 ** 20, '\n')]));
  const { problems } = await verifyFile(file, { mixed: false, expected: [] });
  expect(problems).toMatchObject([{ line: 2 }]);
  expect(update.mock.calls.length).toBeLessThan(20);
});
