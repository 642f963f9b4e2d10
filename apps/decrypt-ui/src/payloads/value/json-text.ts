import { escapeInText } from '@temporal-kms/codec-api';
import { isLosslessNumber } from 'lossless-json';
import { isRecord } from '@temporal-kms/node-utils/is-record';

export interface Token {
  readonly kind: 'key' | 'punctuation' | 'value';
  readonly text: string;
}
export type Line = readonly Token[];

export const key = (text: string): Token => ({ kind: 'key', text });
export const punctuation = (text: string): Token => ({ kind: 'punctuation', text });
const value = (text: string): Token => ({ kind: 'value', text });

/**
 * Values nested deeper than this take one line. Values nested more than twice as deep become an ellipsis.
 * This limit bounds the recursion.
 */
export const MAX_DEPTH = 60;

/**
 * Returns JSON on one line, truncated to `limit` characters. Omits quotes around member names where JavaScript allows
 * that. Numbers keep every original digit, and invisible characters in strings are escaped.
 */
export function jsonInline(input: unknown, limit: number): Token[] {
  const tokens: Token[] = [];
  let used = 0;
  for (const token of inline(input, limit)) {
    if (used + token.text.length > limit) {
      tokens.push({ kind: token.kind, text: `${token.text.slice(0, Math.max(limit - used, 0))}…` });
      return tokens;
    }
    tokens.push(token);
    used += token.text.length;
  }
  return tokens;
}

/** Yields the tokens of JSON on one line. May truncate strings to `limit` characters. */
export function* inline(input: unknown, limit: number, depth = 0): Generator<Token> {
  if (!hasMembers(input)) {
    yield value(scalar(input, limit));
    return;
  }
  const [opening, closing] = Array.isArray(input) ? ['[', ']'] : ['{ ', ' }'];
  if (membersIn(input) === 0) {
    yield punctuation(`${opening}${closing}`.replaceAll(' ', ''));
    return;
  }
  if (depth > MAX_DEPTH * 2) {
    yield punctuation('…');
    return;
  }
  yield punctuation(opening);
  let first = true;
  // Callers read only the first tokens, so a long array costs no more than a short one.
  for (const name of Array.isArray(input) ? input.keys() : Object.keys(input)) {
    if (!first) yield punctuation(', ');
    first = false;
    if (typeof name === 'string') {
      yield key(memberName(name));
      yield punctuation(': ');
    }
    yield* inline(Reflect.get(input, name), limit, depth + 1);
  }
  yield punctuation(closing);
}

export type Members = readonly unknown[] | Readonly<Record<string, unknown>>;

/** A string that is displayed line by line. */
export class TextBlock {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Returns whether the input is an object or array. */
export const hasMembers = (input: unknown): input is Members =>
  Array.isArray(input) || (isRecord(input) && !isLosslessNumber(input) && !(input instanceof TextBlock));

export const membersIn = (input: Members): number =>
  Array.isArray(input) ? input.length : Object.keys(input).length;

/** Returns a member's name, without quotes where JavaScript allows that. */
export const memberName = (name: string) =>
  /^[A-Za-z_$][\w$]*$/.test(name) ? name : escapeInText(JSON.stringify(name));

function scalar(input: unknown, limit: number): string {
  if (isLosslessNumber(input)) return input.value;
  if (input instanceof TextBlock) return scalar(input.text, limit);
  // Escapes only the visible part of a long string.
  if (typeof input === 'string')
    return escapeInText(JSON.stringify(limit < input.length ? input.slice(0, limit + 1) : input));
  // Handles numbers that JSON does not have: NaN, infinity and negative zero.
  if (typeof input === 'number') return Object.is(input, -0) ? '-0' : String(input);
  return JSON.stringify(input) ?? 'null';
}
