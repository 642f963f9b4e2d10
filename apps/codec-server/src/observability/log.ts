import type { Writable } from 'node:stream';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { pinoFormat } from '@temporal-kms/node-utils/log-entry';
import { type DestinationStream, type Logger, pino } from 'pino';
import { traceFields } from './trace-context.ts';

/**
 * Returns a logger that writes JSON lines in the form of `pinoFormat`, with the ids of the trace. Escapes
 * invisible characters, so that no text in a line looks like different text.
 */
export const createLog = (level: string, output: DestinationStream): Logger =>
  pino(
    { ...pinoFormat, level, mixin: traceFields },
    { write: (line) => output.write(`${escapeInvisible(line.trimEnd())}\n`) },
  );

export interface StandardOutput {
  /** Writes lines that must not be lost. Resolves once the operating system has taken the lines. */
  readonly append: (text: string) => Promise<void>;
  /**
   * Writes lines of the log, and never blocks the server: while no process reads the output, lines are
   * dropped and counted.
   */
  readonly log: { write(line: string): void };
}

const droppedLines = (dropped: number) => ({
  time: new Date().toISOString(),
  severity: 'WARNING',
  message: 'log lines dropped',
  dropped,
});

/** Maximum size in bytes of the log lines that wait for a reader. */
const MAX_WAITING = 2 ** 20;
/** Log lines with this many characters in total are written immediately. */
const CHUNK = 16 * 1024;

/**
 * Returns the only writer to standard output. There must be only one writer, because a pipe takes a long line
 * in parts, and other lines must not come in between. Log lines from one turn of the event loop share one
 * write, because each write is a system call.
 */
export function standardOutput(stream: Writable = process.stdout): StandardOutput {
  let dropped = 0;
  let lines = '';
  // A disconnected reader must not end the process. `append` reports the error to its caller.
  stream.on('error', () => undefined);

  const flush = (): void => {
    if (lines !== '') stream.write(lines);
    lines = '';
  };
  // The last lines must be written before the exit, because they contain the reason for the exit.
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
