import type { z } from 'zod';

/** What a person needs to know to set one variable. */
export interface Variable {
  /** One line, without a full stop. */
  readonly about: string;
  readonly example: string;
  /** Used when the variable is unset or empty. */
  readonly default?: string;
  /** Its value is never printed. */
  readonly secret?: true;
}

/** Everything that one app reads from its environment. */
export interface Environment<Config> {
  /** In the order in which they are explained and printed. */
  readonly variables: Readonly<Record<string, Variable>>;
  /** Takes the record of set variables, defaults filled in; an issue's `path[0]` is the variable's name. */
  readonly schema: z.ZodType<Config>;
}

export type Values = Readonly<Record<string, string | undefined>>;

/** The set variables with the defaults beneath. An empty value counts as unset, as compose files write it. */
export function withDefaults(environment: Environment<unknown>, values: Values): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, variable] of Object.entries(environment.variables)) {
    if (variable.default !== undefined) result[name] = variable.default;
  }
  for (const [name, value] of Object.entries(values)) if (value) result[name] = value;
  return result;
}
