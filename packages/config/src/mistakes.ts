import type { z } from 'zod';
import type { Environment, Values } from './environment.ts';

export interface Mistake {
  readonly variable: string;
  readonly problem: string;
  readonly example?: string;
}

type Issue = z.core.$ZodIssue;

/** Every issue as a mistake in the words of the environment, and all of them as one text. */
export function explain(issues: readonly Issue[], environment: Environment<unknown>, set: Values) {
  const mistakes = issues.map((issue) => toMistake(issue, environment, set));
  const count = mistakes.length === 1 ? 'A mistake' : `${mistakes.length} mistakes`;
  const lines = mistakes.map(({ variable, problem, example }) => {
    return `  ${variable} ${problem}${example === undefined ? '' : `\n      for example ${variable}=${example}`}`;
  });
  return { mistakes, text: [`${count} in the environment:`, ...lines].join('\n') };
}

function toMistake(issue: Issue, environment: Environment<unknown>, set: Values): Mistake {
  const [variable = 'The environment', ...inside] = issue.path.map(segment);
  const known = environment.variables[variable];
  const value = set[variable];
  const where = inside.length > 0 ? `at ${inside.join('.')}: ` : '';
  const problem =
    value === undefined ? missing(issue) : `${shown(value, known?.secret)}: ${where}${issue.message}`;
  return { variable, problem, ...(known && { example: known.example }) };
}

/** People count from one. */
function segment(key: PropertyKey): string {
  return typeof key === 'number' ? `entry ${key + 1}` : String(key);
}

/** Zod's own words for an absent value speak of types. */
function missing(issue: Issue): string {
  return issue.code === 'custom' ? issue.message : 'is missing';
}

function shown(value: string, secret: true | undefined): string {
  if (secret) return 'is set, but';
  return `is ${JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)}`;
}
