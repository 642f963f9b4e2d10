import { readStrictYaml, StrictYamlError } from '@temporal-kms/kms-codec/strict-yaml';
import { z } from 'zod';
import { CliError } from '../cli/cli-error.ts';

/** A kind of value to look for. */
interface Pattern {
  readonly name: string;
  /** A regular expression with the flag `g`. */
  readonly expression: RegExp;
  /**
   * Returns whether a match is a real value of this kind, for example by its check digits. Without this function, every
   * match counts.
   */
  readonly isValid?: (match: string) => boolean;
}

/** The values that a search looks for. */
export interface Patterns {
  readonly patterns: readonly Pattern[];
  /** Whether the matched value is allowed in plaintext. */
  readonly isAllowed: (match: string) => boolean;
}

const builtIn: readonly Pattern[] = [
  // The quantifiers have RFC 5321's limits, so that the time to search a text is at most linear in its length.
  {
    name: 'email',
    expression:
      /(?<![A-Za-z0-9.!#$%&'*+/=?^_`{|}~-])[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])/g,
    // Excludes the default identity of Temporal's SDKs, `PID@HOST`.
    isValid: (match) => !/^\d+@/.test(match),
  },
  {
    name: 'iban',
    expression: /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])/g,
    isValid: isIban,
  },
  {
    name: 'payment-card',
    expression: /(?<![A-Za-z0-9.+]|\d-)[2-6](?:[ -]?\d){12,18}(?![A-Za-z0-9]|[.-]\d)/g,
    isValid: isPaymentCard,
  },
  { name: 'phone', expression: /(?<![\w+])\+[1-9](?:[ ().-]{0,2}\d){6,14}(?![\w])/g },
  {
    name: 'us-ssn',
    expression: /(?<![A-Za-z0-9]|\d-)(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![A-Za-z0-9]|-\d)/g,
  },
];

export const builtInNames: readonly string[] = builtIn.map(({ name }) => name);

/** Checks the digits by ISO 13616: the rearranged number, with letters replaced by 10 to 35, must be 1 modulo 97. */
function isIban(match: string): boolean {
  const compact = match.replaceAll(' ', '');
  if (compact.length < 15 || compact.length > 34) return false;
  let remainder = 0;
  for (const char of compact.slice(4) + compact.slice(0, 4))
    remainder = Number(`${remainder}${Number.parseInt(char, 36)}`) % 97;
  return remainder === 1;
}

/** First digits of Visa, Mastercard, American Express, Diners, Discover, JCB, Maestro and UnionPay (ISO/IEC 7812). */
const ISSUERS = /^(?:4|5[0-8]|2[2-7]|3[04-9]|6)/;

function isPaymentCard(match: string): boolean {
  const digits = match.replaceAll(/\D/g, '');
  return digits.length <= 19 && ISSUERS.test(digits) && hasLuhnDigit(digits) && new Set(digits).size > 1;
}

/** Checks the last digit by ISO/IEC 7812-1, annex B. */
function hasLuhnDigit(digits: string): boolean {
  let sum = 0;
  for (const [index, char] of Array.from(digits).toReversed().entries()) {
    const doubled = Number(char) * (index % 2 === 0 ? 1 : 2);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

const expression = z.string().transform((source, context) => {
  try {
    return new RegExp(source, 'gu');
  } catch {
    context.addIssue('must be a JavaScript regular expression');
    return z.NEVER;
  }
});

const patternsFile = z.strictObject({
  patterns: z
    .record(z.string().regex(/^[a-z0-9-]{1,40}$/, 'must be letters, digits and -'), expression)
    .optional(),
  without: z.array(z.enum(builtIn.map(({ name }) => name))).optional(),
  allow: z.array(expression).optional(),
});

/**
 * Returns the built-in patterns, as changed by a file: `patterns` adds patterns, `without` removes patterns, and
 * `allow` lists expressions for whole values that are allowed in plaintext.
 * @throws CliError for a file with mistakes
 */
export function loadPatterns(file: string | undefined): Patterns {
  if (file === undefined) return { patterns: builtIn, isAllowed: () => false };
  try {
    const { patterns = {}, without = [], allow = [] } = readStrictYaml(file).check(patternsFile);
    const removed = new Set<string>(without);
    const added = Object.entries(patterns).map(([name, one]): Pattern => ({ name, expression: one }));
    const allowed = allow.map(({ source }) => new RegExp(`^(?:${source})$`, 'u'));
    return {
      patterns: [...builtIn.filter(({ name }) => !removed.has(name)), ...added],
      isAllowed: (match) => allowed.some((one) => one.test(match)),
    };
  } catch (error) {
    if (!(error instanceof StrictYamlError)) throw error;
    throw new CliError('configuration', error.message.split('\n'), [], error);
  }
}

/** A value that was found, and the pattern that it matches. */
export interface Match {
  readonly pattern: string;
  readonly text: string;
}

/**
 * How many characters of a text are searched. There is a limit because an expression from a file may be slow. Ids
 * are searched completely, because they have at most 1,000 characters.
 */
const MAX_TEXT = 64 * 1024;

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;

/** Returns the values in a text that match a pattern and are not allowed. */
export function matchesIn(text: string, { patterns, isAllowed }: Patterns): Match[] {
  // Removes UUIDs, because the digits of a random id may look like a card number.
  const searched = text.slice(0, MAX_TEXT).replaceAll(UUID, ' ');
  const found: Match[] = [];
  for (const { name, expression: one, isValid = () => true } of patterns) {
    for (const [match] of searched.matchAll(one))
      if (match !== '' && isValid(match) && !isAllowed(match)) found.push({ pattern: name, text: match });
  }
  return found;
}

/** Masks a value. Shows only the value's first character and, if the value has at least eight characters, its last. */
export function masked(value: string): string {
  const characters = Array.from(value);
  const last = characters.length >= 8 ? visible(characters.at(-1)) : '';
  return `${visible(characters[0])}…${last} (${characters.length} characters)`;
}

const visible = (char = ''): string => (/^[\x21-\x7e]$/.test(char) ? char : '?');
