import { Readable } from 'node:stream';
import { ReaderError } from './reader.ts';

/**
 * Maximum size of a page of a listing. The limit allows 1,000 objects, each with a name of 1,024 bytes and as
 * many bytes for the object's other fields. The limit is necessary because parsing a page blocks the process.
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
 * Yields the pages of a listing.
 * @throws ReaderError if the store repeats a page, so that the listing would not end
 */
export async function* pagesOf<Page>(
  request: (token: string | undefined) => Promise<Page>,
  nextToken: (page: Page) => string | undefined,
): AsyncGenerator<Page, void> {
  const tokens = new Set<string | undefined>();
  let token: string | undefined;
  do {
    if (tokens.has(token)) throw new ReaderError('unavailable', 'the store repeats a page of the list');
    tokens.add(token);
    const page = await request(token);
    yield page;
    token = nextToken(page);
  } while (token !== undefined);
}

/** Returns the size of the whole object, according to the headers of a response with the object or its start. */
export function objectSize(
  status: number | undefined,
  contentRange: string | undefined,
  contentLength: number | undefined,
): number | undefined {
  if (status !== 206) return contentLength;
  const total = /\/(\d+)$/.exec(contentRange ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}

/** Statuses with which a server redirects the client. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Returns the error for a response that is not an object.
 * @param status the HTTP status; undefined if there was no response
 * @param permissions the permissions that the reader needs, as the store names them
 * @param code Node's code for a network error
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
    return new ReaderError(
      status === 403 ? 'forbidden' : 'unavailable',
      `this identity needs ${permissions} (status ${status})`,
      { cause },
    );
  if (REDIRECTS.has(status))
    return unavailable(`the store redirects to another server, which is not allowed (status ${status})`);
  return unavailable(`the store answered with status ${status}`);
}
