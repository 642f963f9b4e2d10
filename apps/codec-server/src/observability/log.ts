import type { Writable } from 'node:stream';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { pinoFormat } from '@temporal-kms/node-utils/log-entry';
import { type DestinationStream, type Logger, pino } from 'pino';
import { traceFields } from './trace-context.ts';

/**
 * Returns a logger that writes lines of JSON in the shape of `pinoFormat`, with the ids of the trace. It escapes
 * invisible characters, so that no text in a line can pass for another text.
 */
export const createLog = (level: string, output: DestinationStream): Logger =>
  pino(
    { ...pinoFormat, level, mixin: traceFields },
    { write: (line) => output.write(`${escapeInvisible(line.trimEnd())}\n`) },
  );

export interface StandardOutput {
  /** For lines that must be written: resolves when the operating system has taken them. */
  readonly append: (text: string) => Promise<void>;
  /** For the log, which never blocks the server: while no reader takes the output, lines are counted and dropped. */
  readonly log: { write(line: string): void };
}

const droppedLines = (dropped: number) => ({
  time: new Date().toISOString(),
  severity: 'WARNING',
  message: 'log lines dropped',
  dropped,
});

/** Maximum bytes of log waiting for a reader. */
const MAX_WAITING = 2 ** 20;
/** Log lines of this many characters are written at once. */
const CHUNK = 16 * 1024;

/**
 * Returns the only way to standard output: a pipe takes a long line in parts, and no other line may come between them.
 * Log lines of one turn of the event loop share one write, since each write is a system call.
 */
export function standardOutput(stream: Writable = process.stdout): StandardOutput {
  let dropped = 0;
  let lines = '';
  // A reader that disconnected must not end the process. `append` reports the error to its caller.
  stream.on('error', () => undefined);

  const flush = (): void => {
    if (lines !== '') stream.write(lines);
    lines = '';
  };
  // The last lines contain the reason for the end.
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
          lines += `${JSON.stringify(droppedLines(dropped))}\n`;
          dropped = 0;
        }
        lines += line;
        if (lines.length >= CHUNK) flush();
      },
    },
  };
}
