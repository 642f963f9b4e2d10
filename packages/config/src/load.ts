import { withDefaults, type Environment, type Values } from './environment.ts';
import { explain, type Mistake } from './mistakes.ts';

/** `EX_CONFIG` of sysexits.h: a supervisor can tell it from a crash. */
const exitConfig = 78;

/** The environment holds at least one mistake; the message lists them all. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly mistakes: readonly Mistake[];

  constructor(mistakes: readonly Mistake[], message: string) {
    super(message);
    this.mistakes = mistakes;
  }
}

/**
 * The typed, frozen configuration that `values` describe.
 *
 * @throws ConfigError that names every mistake.
 */
export function parseConfig<Config>(environment: Environment<Config>, values: Values): Config {
  const set = withDefaults(environment, values);
  const result = environment.schema.safeParse(set);
  if (result.success) return deepFreeze(result.data);
  const { mistakes, text } = explain(result.error.issues, environment, set);
  throw new ConfigError(mistakes, text);
}

/** `parseConfig` for a `main.ts`: prints the mistakes to standard error and ends the process with status 78. */
export function loadConfigOrExit<Config>(
  environment: Environment<Config>,
  values: Values = process.env,
): Config {
  try {
    return parseConfig(environment, values);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(exitConfig);
  }
}

/** Plain data only: what a class keeps inside is its own affair. */
function deepFreeze<T>(value: T): T {
  const plain =
    Array.isArray(value) || (isObject(value) && Object.getPrototypeOf(value) === Object.prototype);
  if (plain && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
