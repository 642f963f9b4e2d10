import type { Environment, Values } from './environment.ts';
import { withDefaults } from './environment.ts';

/** The app's variables as they are in force, for the start's log line: what is secret is named but not shown. */
export function printableConfig(environment: Environment<unknown>, values: Values = process.env) {
  const set = withDefaults(environment, values);
  const shown: Record<string, string> = {};
  for (const [name, variable] of Object.entries(environment.variables)) {
    const value = set[name];
    if (value !== undefined) shown[name] = variable.secret ? '[redacted]' : value;
  }
  return shown;
}

/**
 * Set variables that begin like the app's own and aren't any: misspelt, most likely.
 * @param prefix of names that nobody else sets
 */
export function unknownVariables(
  environment: Environment<unknown>,
  prefix: string,
  values: Values = process.env,
): string[] {
  return Object.keys(values)
    .filter((name) => name.startsWith(prefix) && values[name] && !(name in environment.variables))
    .toSorted();
}

/** The app's variables explained, for `--help`. */
export function describeEnvironment(environment: Environment<unknown>): string {
  return Object.entries(environment.variables)
    .map(([name, { about, example, default: fallback }]) => {
      const usual = fallback === undefined ? `for example ${example}` : `default ${fallback}`;
      return `  ${name}\n      ${about}; ${usual}`;
    })
    .join('\n');
}
