import type { Socket } from 'node:net';
import type { Env } from './context.ts';

type Outgoing = NonNullable<Env['Bindings']['outgoing']>;

interface Reader {
  /** The answer that was begun last; none once that has ended. */
  outgoing: Outgoing | undefined;
  /** Bytes that its socket had taken when they last grew, and since when. */
  taken: number;
  since: number;
}

const LOOK_EVERY = 10;

/**
 * Cuts a reader that takes nothing of what is waiting for it, since that holds an answer in memory, or a stream open.
 * A stream that has nothing to say isn't stalled. Readers are looked after by connection: a request costs one look-up.
 *
 * @param stalledMs how long it may take nothing
 * @returns to be told of each request before it is answered; requests without a port have no reader
 */
export function cutSlowReaders(stalledMs: number): (c: { readonly env?: Env['Bindings'] }) => void {
  const readers = new Map<Socket, Reader>();
  let timer: NodeJS.Timeout | undefined;

  const look = (): void => {
    const now = performance.now();
    for (const [socket, reader] of readers) {
      const waiting = (reader.outgoing?.writableLength ?? 0) + socket.writableLength;
      // bytesWritten counts what waits in the process as well.
      const read = socket.bytesWritten - socket.writableLength;
      if (waiting === 0 || read !== reader.taken) {
        reader.taken = read;
        reader.since = now;
      } else if (now - reader.since >= stalledMs) {
        // Not the answer: one that was asked for behind another has no socket yet, and would only be marked.
        socket.destroy();
      }
    }
  };

  const forget = (socket: Socket): void => {
    readers.delete(socket);
    if (readers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  return ({ env }) => {
    const socket = env?.incoming?.socket;
    const outgoing = env?.outgoing;
    if (socket === undefined || outgoing === undefined || socket.destroyed) return;
    const known = readers.get(socket);
    if (known !== undefined) {
      follow(known, outgoing);
      if (socket.writableLength === 0) known.since = performance.now();
      return;
    }
    const reader: Reader = { outgoing: undefined, taken: 0, since: performance.now() };
    follow(reader, outgoing);
    readers.set(socket, reader);
    socket.once('close', () => forget(socket));
    timer ??= setInterval(look, stalledMs / LOOK_EVERY).unref();
  };
}

/**
 * Until the answer has ended: an idle connection must not keep its last request, whose headers (a token) and body hang
 * on the answer. On its own, since closures of one function keep each other's variables in memory.
 */
function follow(reader: Reader, outgoing: Outgoing): void {
  reader.outgoing = outgoing;
  outgoing.once('close', () => {
    if (reader.outgoing === outgoing) reader.outgoing = undefined;
  });
}
