import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const file = z.strictObject({
  about: z.string(),
  made: z.array(
    z.strictObject({
      content: z.enum(['empty', 'short', 'text', 'noise']),
      algorithm: z.string(),
      compressed: z.hex(),
    }),
  ),
});

/** 3,000 bytes that do not compress: a chain of SHA-256 digests. */
function noise(): Buffer {
  const blocks: Buffer[] = [];
  for (let block: Buffer = sha256(Buffer.from('noise')); blocks.length < 94; block = sha256(block))
    blocks.push(block);
  return Buffer.concat(blocks).subarray(0, 3_000);
}

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** The content before compression. */
export const proxyContents = {
  empty: Buffer.alloc(0),
  short: Buffer.from('{"order":7,"order2":7,"order3":7}'),
  text: Buffer.from(
    `{"order":7,"items":[{"sku":"A-1","quantity":2},{"sku":"B-2","quantity":1}],"note":"${'deliver to the back door. '.repeat(200)}"}`,
  ),
  noise: noise(),
} as const;

export interface ProxyCompressed {
  readonly name: string;
  readonly algorithm: string;
  readonly compressed: Buffer;
  readonly content: Buffer;
}

/** Bytes that temporal-proxy's Go code compressed, with the content. */
export const proxyCompressed: readonly ProxyCompressed[] = file
  .parse(JSON.parse(readFileSync(new URL('../fixtures/proxy-compressed.json', import.meta.url), 'utf8')))
  .made.map(({ content, algorithm, compressed }) => ({
    name: `${content} in ${algorithm}`,
    algorithm,
    compressed: Buffer.from(compressed, 'hex'),
    content: proxyContents[content],
  }));

/** Returns the bytes of a content in an algorithm. */
export function compressedBy(algorithm: string, content: keyof typeof proxyContents = 'text'): Buffer {
  const found = proxyCompressed.find(({ name }) => name === `${content} in ${algorithm}`);
  if (found === undefined) throw new RangeError(`no fixture of ${content} in ${algorithm}`);
  return found.compressed;
}
