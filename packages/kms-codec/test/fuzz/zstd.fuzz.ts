import assert from 'node:assert/strict';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { CallBudget } from '../../src/call-options.ts';
import { decompressZstd } from '../../src/compression/zstd.ts';
import { fixed } from '@temporal-kms/vectors/bytes';
import { frame, raw, zeros } from '@temporal-kms/vectors/zstd';
import { outcomeOf } from './outcome.ts';

/*
 * The input is a zstd frame inside an authentic message. The content must equal the output of Node's
 * decompressor for the whole frame, must have the declared size, and must stay the same when it is compressed
 * and decompressed again. No bytes may follow the frame.
 */

export const reaches = ['accepted', 'malformed', 'too_large'];

const LIMIT = 2 ** 16;
const read = (bytes: Uint8Array) => decompressZstd(bytes, LIMIT, new CallBudget(LIMIT));

export const fuzz = (data: Uint8Array): Promise<string> =>
  outcomeOf(async () => {
    const content = await read(data);
    assert.deepEqual(content, zstdDecompressSync(data));
    assert.deepEqual(await read(zstdCompressSync(content)), content);
    assert.equal(await outcomeOf(() => read(Buffer.concat([data, Buffer.of(0)]))), 'malformed');
    assert.equal(await outcomeOf(() => read(data.subarray(0, -1))), 'malformed');
  });

export const seeds = (): Uint8Array[] => [
  ...[0, 1, 300, 3_000].map((length) => zstdCompressSync(fixed('content', length))),
  ...['text', 'a longer text, '.repeat(30)].map((text) => zstdCompressSync(text)),
  frame({ declared: 300, blocks: raw(Buffer.alloc(300)) }),
  frame({ declared: LIMIT, blocks: zeros(LIMIT) }),
  frame({ declared: 2 ** 30, blocks: zeros(LIMIT) }),
];
