import type { MiddlewareHandler } from 'hono';
import type { Env } from './context.ts';

type Outgoing = NonNullable<Env['Bindings']['outgoing']>;

interface Reader {
  readonly outgoing: Outgoing;
  /** Bytes that its socket had taken when they last grew, and since when. */
  taken: number;
  since: number;
}

const LOOK_EVERY = 10;

/**
 * Cuts a reader that takes nothing of what is waiting for it, since that holds an answer in memory, or a stream open.
 * A stream that has nothing to say isn't stalled.
 *
 * @param stalledMs how long it may take nothing
 */
export function cutSlowReaders(stalledMs: number): MiddlewareHandler<Env> {
  const readers = new Set<Reader>();
  let timer: NodeJS.Timeout | undefined;

  const look = (): void => {
    const now = performance.now();
    for (const reader of readers) {
      const { outgoing } = reader;
      const taken = outgoing.socket?.bytesWritten ?? 0;
      const waiting = outgoing.writableLength + (outgoing.socket?.writableLength ?? 0);
      // bytesWritten counts what waits in the process as well.
      const read = taken - (outgoing.socket?.writableLength ?? 0);
      if (waiting === 0 || read !== reader.taken) {
        reader.taken = read;
        reader.since = now;
      } else if (now - reader.since >= stalledMs) {
        outgoing.destroy();
      }
    }
    if (readers.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };

  return async (c, next) => {
    const outgoing = c.env?.outgoing;
    if (outgoing !== undefined) {
      const reader: Reader = { outgoing, taken: 0, since: performance.now() };
      readers.add(reader);
      outgoing.once('close', () => readers.delete(reader));
      timer ??= setInterval(look, stalledMs / LOOK_EVERY).unref();
    }
    await next();
  };
}
