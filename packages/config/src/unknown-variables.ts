import type { Environment, Values } from './environment.ts';

/** Variables of other programs and libraries whose names resemble ours. */
const ofOthers: ReadonlySet<string> = new Set([
  'TEMPORAL_TLS_SERVER_CA_CERT_DATA',
  'TEMPORAL_TLS_CLIENT_CERT_DATA',
  'TEMPORAL_TLS_CLIENT_KEY_DATA',
]);
/** Prefixes of the variables that configure keys. All programs read these variables. */
const ofKeys = ['GCP_KMS_', 'KMS_'];
/** Maximum number of differences between a variable's name and its misspelling. */
const MAX_DIFFERENCES = 2;
/** Minimum length of a name to check for misspelling, because shorter names resemble too many others. */
const MIN_LENGTH = 6;

/** A variable that is set but that the app doesn't know, probably because it is misspelt. */
export interface UnknownVariable {
  readonly name: string;
  /** The app's variable with almost the same name. */
  readonly similar?: string;
}

/**
 * Returns the variables that are set but that the app doesn't know, if they have the app's prefix or resemble
 * one of its variables.
 */
export function unknownVariables(
  environment: Environment<unknown>,
  values: Values = process.env,
): UnknownVariable[] {
  return Object.keys(values)
    .filter((name) => values[name] && !(name in environment.variables) && !ofOthers.has(name))
    .flatMap((name): UnknownVariable[] => {
      const similar = similarVariable(environment, name);
      if (similar !== undefined) return [{ name, similar }];
      return [...environment.prefixes, ...ofKeys].some((prefix) => name.startsWith(prefix)) ? [{ name }] : [];
    })
    .toSorted((one, other) => one.name.localeCompare(other.name));
}

/** Returns the names of the unknown variables as text, such as `GCP_KMS_KEYRING (GCP_KMS_KEY_RING?)`. */
export const listUnknown = (unknown: readonly UnknownVariable[]): string =>
  unknown.map(({ name, similar }) => (similar === undefined ? name : `${name} (${similar}?)`)).join(', ');

function similarVariable(environment: Environment<unknown>, name: string): string | undefined {
  if (name.length < MIN_LENGTH) return undefined;
  const [best] = Object.keys(environment.variables)
    .filter((known) => Math.abs(known.length - name.length) <= MAX_DIFFERENCES)
    .map((known) => ({ known, differences: differencesOf(known, name.toUpperCase()) }))
    .filter(({ differences }) => differences <= MAX_DIFFERENCES)
    .toSorted((one, other) => one.differences - other.differences);
  return best?.known;
}

/** Returns the Levenshtein distance of two names: how many characters to insert, remove or replace. */
function differencesOf(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [line, character] of one.split('').entries()) {
    const next = [line + 1];
    for (const [column, wanted] of other.split('').entries()) {
      const replaced = (row[column] ?? 0) + (character === wanted ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
