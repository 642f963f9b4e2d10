import { parseArgs } from 'node:util';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import type { z } from 'zod';
import { describeEnvironment, type Environment, type Values, withDefaults } from './environment.ts';
import { unknownVariables } from './unknown-variables.ts';

/** Exit codes from sysexits.h, so that a supervisor can tell a mistake in the configuration from a crash. */
const EX_USAGE = 64;
const EX_CONFIG = 78;

/** Thrown if the environment contains mistakes. The message lists all mistakes. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly mistakes: readonly Mistake[];

  constructor(mistakes: readonly Mistake[], message: string) {
    super(message);
    this.mistakes = mistakes;
  }
}

export interface Mistake {
  readonly variable: string;
  readonly problem: string;
  readonly example?: string;
}

/**
 * Returns the typed, frozen configuration that `values` contains.
 * @throws ConfigError that names every mistake
 */
export function parseConfig<Config>(environment: Environment<Config>, values: Values): Config {
  const set = withDefaults(environment, values);
  const result = environment.schema.safeParse(set);
  if (result.success) return deepFreeze(result.data);
  const { mistakes, text } = explain(result.error.issues, environment, set, values);
  throw new ConfigError(mistakes, text);
}

/**
 * Returns the configuration for a `main.ts`. If there are mistakes, prints them to standard error and exits
 * with status 78.
 */
export function loadConfigOrExit<Config>(
  environment: Environment<Config>,
  values: Values = process.env,
): Config {
  try {
    return parseConfig(environment, values);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(EX_CONFIG);
  }
}

const USAGE = 'Usage: main [--help | --version]';

/** What a program prints for `--help` and `--version`. */
interface Program {
  readonly about: string;
  readonly version: string;
  readonly environment: Environment<unknown>;
  /** Help text for the program's commands. Handle the commands before you call this function. */
  readonly commands?: string;
}

/**
 * If a `main.ts` was started with `--help` or `--version`, prints the answer and exits. Exits with status 64
 * for any other argument, because all settings are environment variables.
 */
export function answerOptions({ about, version, environment, commands }: Program): void {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values } = parseArgs({ options: { help: flag, version: flag } });
    if (values.version) {
      process.stdout.write(`${version}\n`);
      process.exit(0);
    }
    if (!values.help) return;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${USAGE}\n`);
    process.exit(EX_USAGE);
  }
  const others = commands === undefined ? '' : `\n\nCommands:\n${commands}`;
  process.stdout.write(
    `${about}\n\n${USAGE}${others}\n\nEnvironment:\n${describeEnvironment(environment)}\n`,
  );
  process.exit(0);
}

type Issue = z.core.$ZodIssue;

/** Returns the mistakes, each with its variable's name, and a message that lists all of them. */
function explain(issues: readonly Issue[], environment: Environment<unknown>, set: Values, values: Values) {
  const mistakes = issues.map((issue) => toMistake(issue, environment, set));
  const count = mistakes.length === 1 ? 'A mistake' : `${mistakes.length} mistakes`;
  const lines = mistakes.map(({ variable, problem, example }) => {
    return `  ${variable} ${problem}${example === undefined ? '' : `\n      for example ${variable}=${example}`}`;
  });
  const missing = new Set(mistakes.map(({ variable }) => variable).filter((name) => !set[name]));
  const misspelt = unknownVariables(environment, values)
    .filter(({ similar }) => similar !== undefined && missing.has(similar))
    .map(
      ({ name, similar }) => `  ${name} is set, but no variable has this name: ${similar} was probably meant`,
    );
  return { mistakes, text: [`${count} in the environment:`, ...lines, ...misspelt].join('\n') };
}

function toMistake(issue: Issue, environment: Environment<unknown>, set: Values): Mistake {
  const [variable = 'The environment', ...inside] = issue.path.map(segment);
  const known = environment.variables[variable];
  const value = set[variable];
  const where = inside.length > 0 ? `at ${inside.join('.')}: ` : '';
  const problem =
    value === undefined ? missingProblem(issue) : `${shown(value, known?.secret)}: ${where}${issue.message}`;
  return { variable, problem, ...(known && { example: known.example }) };
}

/** Returns a member's name, or an entry's number, counted from 1. */
function segment(key: PropertyKey): string {
  return typeof key === 'number' ? `entry ${key + 1}` : String(key);
}

/** Replaces Zod's message for a missing value, because Zod's message mentions types. */
function missingProblem(issue: Issue): string {
  return issue.code === 'custom' ? issue.message : 'is missing';
}

function shown(value: string, secret: true | undefined): string {
  if (secret) return 'is set, but';
  return `is ${JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)}`;
}

/** Freezes plain objects and arrays, and leaves instances of classes as they are. */
function deepFreeze<T>(value: T): T {
  const plain =
    Array.isArray(value) || (isRecord(value) && Object.getPrototypeOf(value) === Object.prototype);
  if (plain && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
