import type { z } from 'zod';

/** One environment variable, described for its users. */
export interface Variable {
  /** A one-line description without a full stop. */
  readonly about: string;
  readonly example: string;
  /** The value that is used when the variable is unset or empty. */
  readonly default?: string;
  /** True if the value must never be printed. */
  readonly secret?: true;
}

/** All environment variables that one app reads. */
export interface Environment<Config> {
  /** The variables, in the order in which `--help` and the log list them. */
  readonly variables: Readonly<Record<string, Variable>>;
  /** Prefix of the app's variable names, which no other program uses. */
  readonly prefixes: readonly string[];
  /**
   * Parses the variables that are set, and the defaults of the other variables. The `path[0]` of an issue is
   * the variable's name.
   */
  readonly schema: z.ZodType<Config>;
}

export type Values = Readonly<Record<string, string | undefined>>;

/**
 * Returns the variables that are set, and the defaults of the other variables. An empty value counts as
 * unset, because compose files pass unset variables as empty strings.
 */
export function withDefaults(environment: Environment<unknown>, values: Values): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, variable] of Object.entries(environment.variables)) {
    if (variable.default !== undefined) result[name] = variable.default;
  }
  for (const [name, value] of Object.entries(values)) if (value) result[name] = value;
  return result;
}

/**
 * Returns the effective values of the app's variables, for the log line at start-up. Secrets are
 * `[redacted]`.
 */
export function printableConfig(environment: Environment<unknown>, values: Values = process.env) {
  const set = withDefaults(environment, values);
  const shown: Record<string, string> = {};
  for (const [name, variable] of Object.entries(environment.variables)) {
    const value = set[name];
    if (value !== undefined) shown[name] = variable.secret ? '[redacted]' : value;
  }
  return shown;
}

/** Returns the description of the app's variables for `--help`. */
export function describeEnvironment(environment: Environment<unknown>): string {
  return Object.entries(environment.variables)
    .map(([name, { about, example, default: fallback }]) => {
      const usual = fallback === undefined ? `for example ${example}` : `default ${fallback}`;
      return `  ${name}\n      ${about}; ${usual}`;
    })
    .join('\n');
}
