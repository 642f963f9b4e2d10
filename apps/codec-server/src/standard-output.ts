import type { Writable } from 'node:stream';
import type { Append } from './audit/line-queue.ts';

export interface StandardOutput {
  /** For what has to be written: resolves when the system has taken it. */
  readonly append: Append;
  /** For the log, which may not hold up the server: while nobody reads, lines are counted instead of kept. */
  readonly log: { write(line: string): void };
}

/** Bytes of log that wait for a reader. */
const MAX_WAITING = 2 ** 20;

/** One way to standard output for all that write there: a long line to a pipe goes in parts, and none may come between. */
export function standardOutput(stream: Writable = process.stdout): StandardOutput {
  let dropped = 0;
  // A reader that has gone away is no reason to fall over; whoever has to know hears of it by the callback.
  stream.on('error', () => undefined);
  return {
    append: (text) =>
      new Promise((resolve, reject) => {
        stream.write(text, (error) => (error ? reject(error) : resolve()));
      }),
    log: {
      write: (line) => {
        if (stream.writableLength > MAX_WAITING) {
          dropped += 1;
          return;
        }
        if (dropped > 0) {
          stream.write(
            `${JSON.stringify({ level: 40, time: Date.now(), dropped, msg: 'log lines dropped' })}\n`,
          );
          dropped = 0;
        }
        stream.write(line);
      },
    },
  };
}
