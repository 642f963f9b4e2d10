import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { chain, linkOf, MIN_LINKED_BYTES, NOTHING, readDigestKey } from '../src/chain.ts';

const directory = await mkdtemp(join(tmpdir(), 'audit-chain-'));
afterAll(() => rm(directory, { recursive: true }));

const ONE = '1'.repeat(16);

describe('linkOf', () => {
  const line = chain(ONE, { seq: 11, hash: 'a'.repeat(64) }, ['{"n":1}\n'])
    .bytes.toString()
    .trim();

  it('returns the link of a line', () => {
    expect(linkOf(Buffer.from(line))).toEqual({ instance: ONE, seq: 12, prev: 'a'.repeat(64) });
  });

  it.each([
    ['text before it', ` ${line}`],
    ['text after it', `${line} `],
    ['no link', '{"n":1}'],
  ])('returns undefined for a line with %s', (_, text) => {
    expect(linkOf(Buffer.from(text))).toBeUndefined();
  });
});

it('MIN_LINKED_BYTES is the length of the shortest line with a link', () => {
  const shortest = chain(ONE, NOTHING, ['{}\n']).bytes.toString().trim();
  expect(shortest).toHaveLength(MIN_LINKED_BYTES);
});

async function read(text: string) {
  const file = join(directory, 'key');
  await writeFile(file, text, { mode: 0o600 });
  return readDigestKey(file);
}

describe('readDigestKey', () => {
  const key = 'aB'.repeat(32);

  it('uses the first characters of an empty ciphertext’s digest as the key id', async () => {
    const { keyId } = await read(`${key}\n`);
    const digest = createHmac('sha256', Buffer.from(key, 'hex')).digest('base64url');
    expect(keyId).toBe(digest.slice(0, 11));
  });

  it.each([
    ['half of the digits', 'a'.repeat(32)],
    ['an odd number of digits', `${key}a`],
    ['text before the digits', `x${key}`],
  ])('rejects a key file with %s', async (_, text) => {
    await expect(read(text)).rejects.toThrow('contains no digest key');
  });
});
