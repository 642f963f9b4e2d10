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
/** Characters of log from which on they are written at once. */
const PIECE = 16 * 1024;

/**
 * One way to standard output for all that write there: a long line to a pipe goes in parts, and none may come between.
 * The log's lines of one turn of the event loop go in one write, since each write is a system call in itself.
 */
export function standardOutput(stream: Writable = process.stdout): StandardOutput {
  let dropped = 0;
  let lines = '';
  // A reader that has gone away is no reason to fall over; whoever has to know hears of it by the callback.
  stream.on('error', () => undefined);

  const flush = (): void => {
    if (lines !== '') stream.write(lines);
    lines = '';
  };
  // Whatever ends the process, its last lines say why.
  process.once('exit', flush);

  return {
    append: (text) => {
      flush();
      return new Promise((resolve, reject) => {
        stream.write(text, (error) => (error ? reject(error) : resolve()));
      });
    },
    log: {
      write: (line) => {
        if (stream.writableLength > MAX_WAITING) {
          dropped += 1;
          return;
        }
        if (lines === '') setImmediate(flush);
        if (dropped > 0) {
          lines += `${JSON.stringify({ level: 40, time: Date.now(), dropped, msg: 'log lines dropped' })}\n`;
          dropped = 0;
        }
        lines += line;
        if (lines.length >= PIECE) flush();
      },
    },
  };
}
