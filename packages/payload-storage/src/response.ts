import { Readable } from 'node:stream';
import { ReaderError } from './reader.ts';

/**
 * Limit on a page of a listing: 1,000 objects, each with a name of at most 1,024 bytes and as much for its other
 * fields. Parsing a page blocks the process.
 */
export const MAX_PAGE_BYTES = 1000 * 2 * 1024;

/** Returns a stream that fails once more than `max` bytes have arrived. */
export function limited(body: Readable, max: number): Readable {
  async function* pass(): AsyncGenerator<Uint8Array, void> {
    let count = 0;
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      count += chunk.length;
      if (count > max) throw new ReaderError('unavailable', `the response exceeds ${max} bytes`);
      yield chunk;
    }
  }
  return Readable.from(pass(), { objectMode: false });
}

/**
 * Returns the error for a response that is not an object.
 * @param status the HTTP status; undefined if no response arrived
 * @param permissions what the reader needs, in the store's words
 * @param code Node's code of a network error
 */
export function refused(
  status: number | undefined,
  permissions: string,
  code: string | undefined,
  cause?: unknown,
): ReaderError {
  const unavailable = (message: string) => new ReaderError('unavailable', message, { cause });
  if (status === undefined) return unavailable(`the store did not answer${code ? ` (${code})` : ''}`);
  if (status === 404)
    return new ReaderError('not_found', 'the store does not have it (status 404)', { cause });
  if (status === 401 || status === 403)
    return unavailable(`this identity needs ${permissions} (status ${status})`);
  if (status >= 300 && status < 400)
    return unavailable(`the store redirects to another server, which is not allowed (status ${status})`);
  return unavailable(`the store answered with status ${status}`);
}
