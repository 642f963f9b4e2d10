import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import { z } from 'zod';
import { badRequest, ClientDisconnected, HttpError } from '../errors.ts';
import { parseJson } from '../json/bounded.ts';
import type { MemoryLease } from '../memory.ts';
import { ownTurn, SLICE_BYTES } from '../turns/slices.ts';
import type { Env } from './context.ts';

/**
 * Time limit for a body: this many milliseconds, plus the time that its bytes take at the slowest accepted
 * rate.
 */
const BODY_MS = 5_000;
const SLOWEST_BYTES_PER_MS = 64;

type Lease = Pick<MemoryLease, 'take' | 'release'>;

/**
 * Reads the whole body, with or without a `Content-Length`. Takes memory from the lease as bytes arrive.
 * @throws HttpError 413 for a body above the guard's limit for this path or above the lease's limit; 503
 *   `busy`; 408 for a body that arrives too slowly; ClientDisconnected if the client disconnects before the
 *   end
 */
export function readBody(c: Context<Env>, lease: Lease): Buffer | Promise<Buffer> {
  const incoming = c.env?.incoming;
  if (incoming === undefined) return readStream(c.req.raw.body, new Chunks(lease, c.get('maxBody')));
  // A small body has already arrived (see `batchPerTick`).
  const length = incoming.headers['content-length'];
  if (incoming.complete && incoming.readableLength === Number(length)) {
    const whole: unknown = incoming.read();
    if (whole instanceof Buffer) {
      lease.take(whole.length);
      return whole;
    }
  }
  return readIncoming(incoming, new Chunks(lease, c.get('maxBody')));
}

export const bodyTooLarge = (maxBody: number): HttpError =>
  new HttpError(413, 'too_large', `The body is larger than ${maxBody} bytes; send less per request.`);

/** Memory in bytes for one chunk, in addition to its content: a client may send each byte as a chunk. */
const CHUNK_BYTES = 256;

/** Collects the part of a body that has arrived. */
class Chunks {
  readonly #lease: Lease;
  readonly #max: number;
  readonly #chunks: Buffer[] = [];
  #length = 0;

  constructor(lease: Lease, max: number) {
    this.#lease = lease;
    this.#max = max;
  }

  get length(): number {
    return this.#length;
  }

  add(chunk: Buffer): void {
    if (this.#length + chunk.length > this.#max) throw bodyTooLarge(this.#max);
    this.#lease.take(chunk.length + CHUNK_BYTES);
    this.#length += chunk.length;
    this.#chunks.push(chunk);
  }

  concat(): Buffer {
    const [only] = this.#chunks;
    if (this.#chunks.length === 1 && only !== undefined) return only;
    this.#lease.take(this.#length);
    const whole = Buffer.concat(this.#chunks);
    this.#lease.release(this.#length + this.#chunks.length * CHUNK_BYTES);
    this.#chunks.length = 0;
    return whole;
  }
}

/** Reads the body in tests, which call the app without a port. */
async function readStream(body: ReadableStream<Uint8Array> | null, chunks: Chunks): Promise<Buffer> {
  for await (const chunk of body ?? []) chunks.add(Buffer.from(chunk));
  return chunks.concat();
}

/** Reads Node's request directly, because node-server's `Request` would copy the whole body again. */
function readIncoming(incoming: IncomingMessage, chunks: Chunks): Promise<Buffer> {
  if (incoming.destroyed) return Promise.reject(new ClientDisconnected());
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const onData = (chunk: Buffer): void => {
      try {
        chunks.add(chunk);
      } catch (error) {
        fail(error);
      }
    };
    const onEnd = (): void => {
      stop();
      try {
        resolve(chunks.concat());
      } catch (error) {
        reject(error);
      }
    };
    const fail = (error: unknown): void => {
      stop();
      reject(error);
    };
    const onDisconnect = (): void => fail(new ClientDisconnected());
    const timer = setInterval(() => {
      if (performance.now() - started < BODY_MS + chunks.length / SLOWEST_BYTES_PER_MS) return;
      fail(new HttpError(408, 'timeout', 'The body arrives too slowly; send it faster, or send less.'));
    }, 1_000).unref();
    // Removes the listeners, because Node keeps the request, and everything to which its listeners refer,
    // while the connection is idle.
    const stop = (): void => {
      clearInterval(timer);
      incoming.off('data', onData).off('end', onEnd).off('error', onDisconnect).off('close', onDisconnect);
    };
    incoming.on('data', onData).on('end', onEnd).on('error', onDisconnect).on('close', onDisconnect);
  });
}

/**
 * Memory, in bytes, that parsing takes per byte of JSON, for the text and its strings. Values are counted
 * separately.
 */
const JSON_COST = 4;
/** Maximum number of JSON values in a body below `/api`. The largest meaningful body has 200 refs. */
const MAX_VALUES = 1_000;

/**
 * Reads and parses a JSON body of the history API.
 * @throws HttpError 400, 408, 413, 503 `busy`
 */
export async function readJsonBody(c: Context<Env>): Promise<unknown> {
  const lease = c.get('memory').lease();
  try {
    const body = await readBody(c, lease);
    lease.take(body.length * JSON_COST);
    if (body.length > SLICE_BYTES) await ownTurn();
    return parseJson(body.toString(), { base: MAX_VALUES });
  } finally {
    lease.release();
  }
}

/** A schema from `zod`, or from `zod/mini`, with which the dashboard's API contract is written. */
export type Schema<Output = unknown> = z.core.$ZodType<Output>;

/**
 * Parses the value with the schema.
 * @throws HttpError 400 that names each invalid field, but never the value
 */
export function validate<T>(schema: Schema<T>, value: unknown): T {
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  const mistakes = result.error.issues.map(({ path, message }) => {
    const problem = path.length > 0 && valueAt(value, path) === undefined ? 'is missing' : message;
    return `${path.join('.')} ${problem}`.trim();
  });
  throw badRequest(mistakes.join('; '));
}

/**
 * Returns the value at a path. A missing value gets a separate message, because Zod's message mentions types.
 */
function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) at = typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined;
  return at;
}
