import type { Values } from '@temporal-kms/config';
import type { Command } from 'commander';
import type { ExitName } from './cli-error.ts';

/** The parts of the process that the command line uses. Tests replace these parts. */
export interface CliProcess {
  readonly env: Values;
  readonly now: () => Date;
  readonly stdin: () => AsyncIterable<Uint8Array>;
  readonly stdout: (text: string | Uint8Array) => void;
  readonly stderr: (text: string) => void;
  /** Whether standard input and standard error are terminals, so that a person can answer questions. */
  readonly isTerminal: boolean;
  /** Whether standard output is a terminal. */
  readonly showsOutput: boolean;
  readonly ask: (question: string) => Promise<string>;
}

/**
 * The parts of the process that commands use. A command prints lines with these functions, and never writes to a
 * terminal directly.
 */
export interface CliDeps extends Omit<CliProcess, 'stdout' | 'stderr'> {
  /** Prints lines on standard output. */
  readonly print: (lines: readonly string[]) => void;
  /** Prints lines on standard error. */
  readonly printError: (lines: readonly string[]) => void;
  /**
   * Writes decrypted content to standard output. If standard output is a terminal, escapes characters that
   * control a terminal; otherwise writes the content unchanged.
   */
  readonly writeContent: (content: string | Uint8Array) => void;
}

/**
 * Defines the arguments, options, examples and action of a command. `exit` sets the exit code of a command that ends
 * without an error.
 */
export type DefineCommand = (command: Command, deps: CliDeps, exit: (name: ExitName) => void) => void;
