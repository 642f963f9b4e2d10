import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import type { Env } from './context.ts';
import { GoneError } from '../refusal.ts';

/** The whole body, whose size the guard has looked at. */
export function bodyOf(c: Context<Env>): Buffer | Promise<Buffer> {
  const incoming = c.env?.incoming;
  const length = incoming?.headers['content-length'];
  // What comes in pieces of unknown length is counted by the guard, which leaves a request of its own.
  if (incoming === undefined || length === undefined || incoming.headers['transfer-encoding'] !== undefined) {
    return c.req.arrayBuffer().then((bytes) => Buffer.from(bytes));
  }
  // A small one is there already (see `together`).
  if (incoming.complete && incoming.readableLength === Number(length)) {
    const whole: unknown = incoming.read();
    if (whole instanceof Buffer) return whole;
  }
  return readAll(incoming);
}

/**
 * node-server would put the pieces together and then copy the whole once more.
 * @throws GoneError when the client goes away before its end
 */
function readAll(incoming: IncomingMessage): Promise<Buffer> {
  if (incoming.destroyed) return Promise.reject(new GoneError());
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    const onData = (piece: Buffer): void => void pieces.push(piece);
    const onEnd = (): void => {
      done();
      resolve(Buffer.concat(pieces));
    };
    const onGone = (): void => {
      done();
      reject(new GoneError());
    };
    // Node keeps the request while its connection idles, and with it what its listeners hold.
    const done = (): void =>
      void incoming.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
    incoming.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}
