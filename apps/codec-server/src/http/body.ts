import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import type { MemoryLease } from '../memory/budget.ts';
import { ClientDisconnected, HttpError } from '../errors.ts';
import type { Env } from './context.ts';

/** How long a body may take: so many milliseconds, and the time that its bytes take at the slowest rate. */
const BODY_MS = 5_000;
const SLOWEST_BYTES_PER_MS = 64;

/**
 * Reads the whole body, of stated length or in chunks. Its bytes are taken from the lease as they arrive.
 * @throws HttpError 413 beyond what the guard allows on this path, or what the lease may hold; 503 `busy`; 408 where the
 * body arrives too slowly; ClientDisconnected when the client disconnects before its end
 */
export function bodyOf(c: Context<Env>, lease: Lease): Buffer | Promise<Buffer> {
  const incoming = c.env?.incoming;
  if (incoming === undefined) return readStream(c.req.raw.body, new Pieces(lease, c.get('maxBody')));
  // A small one is there already (see `batchPerTick`).
  const length = incoming.headers['content-length'];
  if (incoming.complete && incoming.readableLength === Number(length)) {
    const whole: unknown = incoming.read();
    if (whole instanceof Buffer) {
      lease.take(whole.length);
      return whole;
    }
  }
  return readAll(incoming, new Pieces(lease, c.get('maxBody')));
}

type Lease = Pick<MemoryLease, 'take' | 'release'>;

export const bodyTooLarge = (maxBody: number): HttpError =>
  new HttpError(413, 'too_large', `The body is larger than ${maxBody} bytes; send less a request.`);

/** What has arrived of a body. */
class Pieces {
  readonly #lease: Lease;
  readonly #max: number;
  readonly #pieces: Buffer[] = [];
  #length = 0;

  constructor(lease: Lease, max: number) {
    this.#lease = lease;
    this.#max = max;
  }

  get length(): number {
    return this.#length;
  }

  add(piece: Buffer): void {
    if (this.#length + piece.length > this.#max) throw bodyTooLarge(this.#max);
    this.#lease.take(piece.length + PIECE_BYTES);
    this.#length += piece.length;
    this.#pieces.push(piece);
  }

  concat(): Buffer {
    const [only] = this.#pieces;
    if (this.#pieces.length === 1 && only !== undefined) return only;
    this.#lease.take(this.#length);
    const whole = Buffer.concat(this.#pieces);
    this.#lease.release(this.#length + this.#pieces.length * PIECE_BYTES);
    this.#pieces.length = 0;
    return whole;
  }
}

/** What holding a piece costs beside its bytes: a body may come byte by byte, each in a chunk and a buffer of its own. */
const PIECE_BYTES = 256;

/** Where the app is driven without a port. */
async function readStream(body: ReadableStream<Uint8Array> | null, pieces: Pieces): Promise<Buffer> {
  for await (const piece of body ?? []) pieces.add(Buffer.from(piece));
  return pieces.concat();
}

/** node-server would put the pieces together and then copy the whole once more. */
function readAll(incoming: IncomingMessage, pieces: Pieces): Promise<Buffer> {
  if (incoming.destroyed) return Promise.reject(new ClientDisconnected());
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const onData = (piece: Buffer): void => {
      try {
        pieces.add(piece);
      } catch (error) {
        fail(error);
      }
    };
    const onEnd = (): void => {
      done();
      try {
        resolve(pieces.concat());
      } catch (error) {
        reject(error);
      }
    };
    const fail = (error: unknown): void => {
      done();
      reject(error);
    };
    const onGone = (): void => fail(new ClientDisconnected());
    const look = setInterval(() => {
      if (performance.now() - begun < BODY_MS + pieces.length / SLOWEST_BYTES_PER_MS) return;
      fail(new HttpError(408, 'timeout', 'The body arrives too slowly; send it faster, or less at once.'));
    }, 1_000).unref();
    // Node keeps the request while its connection idles, and with it what its listeners hold.
    const done = (): void => {
      clearInterval(look);
      incoming.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
    };
    incoming.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}
