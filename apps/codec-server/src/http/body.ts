import type { Context } from 'hono';
import type { Env } from './context.ts';

/** Bytes from which on a copy costs more than an iterator does. */
const LARGE = 64 * 1024;

/** The whole body, whose size the guard has looked at. */
export async function bodyOf(c: Context<Env>): Promise<Buffer> {
  const incoming = c.env?.incoming;
  // Not what came in pieces of unknown length: the guard counts those, and leaves a request of its own.
  if (incoming === undefined || !(Number(incoming.headers['content-length']) > LARGE)) {
    return Buffer.from(await c.req.arrayBuffer());
  }
  // node-server would put the pieces together and then copy the whole once more.
  const pieces: Buffer[] = [];
  for await (const piece of incoming as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}
