import { type Command, InvalidArgumentError } from 'commander';

/** The options that every command has. */
export interface CommonOptions {
  readonly json?: true;
  readonly envFile?: string;
}

export const addCommonOptions = (command: Command): Command =>
  command
    .option('--json', 'print the result as JSON')
    .option('--env-file <file>', "read the application's variables from a file, as node --env-file does");

export const addKeyOption = (command: Command): Command =>
  command.option('--key <name>', 'crypto key, projects/…/cryptoKeys/… (default: the configured keys)');

/** Parses an option's value, a whole number of seconds. */
export function seconds(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number of seconds, for example 120.');
}

/** Collects the values of an option that may be repeated. */
export const collect = (value: string, previous: readonly string[] = []): readonly string[] => [
  ...previous,
  value,
];
