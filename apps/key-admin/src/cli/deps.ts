import type { Values } from '@temporal-kms/config';
import type { Command } from 'commander';
import type { ExitName } from './cli-error.ts';

/** What the command takes from its process, so that tests can replace it. */
export interface CliDeps {
  readonly env: Values;
  readonly now: () => Date;
  readonly stdin: () => AsyncIterable<Uint8Array>;
  readonly stdout: (text: string | Uint8Array) => void;
  readonly stderr: (text: string) => void;
  /** Whether a person can answer questions. */
  readonly isTerminal: boolean;
  readonly ask: (question: string) => Promise<string>;
}

/** Adds a command to the program. `exit` sets the exit code of a command that ends without an error. */
export type AddCommand = (program: Command, deps: CliDeps, exit: (name: ExitName) => void) => void;
