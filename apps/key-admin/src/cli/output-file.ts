import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { codeOf } from '@temporal-kms/node-utils/error-details';
import { CliError } from './cli-error.ts';

/** A file that a command writes in parts. */
export interface OutputFile {
  readonly write: (part: string | Uint8Array) => void;
  /** Closes the file, and removes it unless it is complete. */
  readonly end: (isComplete: boolean) => void;
}

/** Creates a file that only its owner can read. @throws CliError if a file of this name exists or cannot be created */
export function createOutputFile(path: string): OutputFile {
  let descriptor: number;
  try {
    // With the flag `x`, the call fails if the path is an existing file or a symbolic link.
    descriptor = openSync(path, 'wx', 0o600);
  } catch (error) {
    const why = codeOf(error) === 'EEXIST' ? 'it exists already' : (codeOf(error) ?? 'unknown');
    throw new CliError('configuration', `The --out file ${path} cannot be created: ${why}`, [], error);
  }
  const remove = (): void => {
    closeSync(descriptor);
    unlinkSync(path);
  };
  const watch = onceStopped(remove);
  return {
    write: (part) => {
      const bytes = Buffer.from(part);
      for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
    },
    end: (isComplete) => {
      watch.stop();
      if (isComplete) closeSync(descriptor);
      else remove();
    },
  };
}

/** Calls `clean` when a signal ends the process, because an incomplete file must not remain. */
function onceStopped(clean: () => void): { stop(): void } {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const end = (signal: NodeJS.Signals): void => {
    stop();
    clean();
    // Without a listener, the signal ends the process.
    process.kill(process.pid, signal);
  };
  const stop = (): void => {
    for (const signal of signals) process.off(signal, end);
  };
  for (const signal of signals) process.on(signal, end);
  return { stop };
}
