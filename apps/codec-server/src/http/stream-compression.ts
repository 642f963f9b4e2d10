import { constants, createGzip } from 'node:zlib';
import type { Context } from 'hono';
import { accepts } from 'hono/accepts';
import type { Env } from './context.ts';

/** Whether the client reads gzip. */
export const acceptsGzip = (c: Context<Env>): boolean =>
  accepts(c, { header: 'Accept-Encoding', supports: ['gzip', 'identity'], default: 'identity' }) === 'gzip';

/** Compresses a stream so that the client can read each part before the next exists. */
export interface StreamCompressor {
  /** Returns the compressed part, complete up to its last byte. */
  readonly push: (part: Uint8Array) => Promise<Uint8Array>;
  /** Returns the end of the stream. */
  readonly end: () => Promise<Uint8Array>;
  /** Frees the memory of a stream that does not reach its end. */
  readonly close: () => void;
}

/**
 * Returns a gzip compressor that flushes after each part (`Z_SYNC_FLUSH`). Use it for metadata only: next to text that a
 * third party chose, the compressed size would reveal something about plaintext.
 */
export function gzipParts(): StreamCompressor {
  // The fastest level makes a history only some percent larger than the default level.
  const gzip = createGzip({ level: constants.Z_BEST_SPEED });
  let chunks: Buffer[] = [];
  gzip.on('data', (chunk: Buffer) => chunks.push(chunk));
  const taken = (): Uint8Array => {
    const part = Buffer.concat(chunks);
    chunks = [];
    return part;
  };
  const settled = (run: (done: () => void) => void): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      gzip.once('error', reject);
      run(() => {
        gzip.off('error', reject);
        resolve(taken());
      });
    });
  return {
    push: (part) =>
      settled((done) => {
        gzip.write(part);
        gzip.flush(constants.Z_SYNC_FLUSH, done);
      }),
    end: () => settled((done) => void gzip.end().once('end', done)),
    close: () => void gzip.destroy(),
  };
}
