import { escapeInText } from '@temporal-kms/codec-api';
import { isLosslessNumber } from 'lossless-json';
import { isRecord } from './values.ts';

export interface Token {
  readonly kind: 'key' | 'punctuation' | 'value';
  readonly text: string;
}
export type Line = readonly Token[];

const key = (text: string): Token => ({ kind: 'key', text });
const punctuation = (text: string): Token => ({ kind: 'punctuation', text });
const value = (text: string): Token => ({ kind: 'value', text });

const length = (tokens: readonly Token[]) => tokens.reduce((sum, token) => sum + token.text.length, 0);

/** Below this depth a value takes one line. This bounds the recursion. */
const MAX_DEPTH = 60;

/**
 * Lays out JSON as lines of tokens for reading. Member names have no quotes where JavaScript allows that, and objects and
 * arrays that fit into `width` characters take one line. Numbers keep every digit that was sent, and invisible characters
 * in strings are escaped.
 */
export function jsonLines(input: unknown, width = 46): Line[] {
  return block(input, 0, [], [], width);
}

/** The same on one line, truncated to `limit` characters. */
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

function block(input: unknown, depth: number, lead: Line, tail: Line, width: number): Line[] {
  const indent = punctuation('  '.repeat(depth));
  const open: Line = depth > 0 ? [indent, ...lead] : lead;
  const members = membersOf(input);
  const room = width - 2 * depth - length(lead) - length(tail);
  const flat = depth >= MAX_DEPTH || !members ? [...inline(input, Infinity)] : fitting(input, room);
  // The outermost object always takes one line per member, so that a payload reads like a form.
  const keepFlat = flat && (!members || members.length === 0 || depth > 0);
  if (keepFlat || !members) return [[...open, ...(flat ?? []), ...tail]];
  const [opening, closing] = Array.isArray(input) ? ['[', ']'] : ['{', '}'];
  const inner = members.flatMap(([name, member], index) => {
    const comma = index < members.length - 1 ? [punctuation(',')] : [];
    const label = name === undefined ? [] : [key(name), punctuation(': ')];
    return block(member, depth + 1, label, comma, width);
  });
  const close: Line = [...(depth > 0 ? [indent] : []), punctuation(closing), ...tail];
  return [[...open, punctuation(opening)], ...inner, close];
}

/** The tokens on one line; undefined if they need more than `room` characters. */
function fitting(input: unknown, room: number): Token[] | undefined {
  const tokens: Token[] = [];
  let used = 0;
  for (const token of inline(input, room)) {
    used += token.text.length;
    if (used > room) return undefined;
    tokens.push(token);
  }
  return tokens;
}

function* inline(input: unknown, limit: number, depth = 0): Generator<Token> {
  const members = membersOf(input);
  if (!members) {
    yield value(scalar(input, limit));
    return;
  }
  const [opening, closing] = Array.isArray(input) ? ['[', ']'] : ['{ ', ' }'];
  if (members.length === 0) {
    yield punctuation(`${opening}${closing}`.replaceAll(' ', ''));
    return;
  }
  if (depth > MAX_DEPTH * 2) {
    yield punctuation('…');
    return;
  }
  yield punctuation(opening);
  for (const [index, [name, member]] of members.entries()) {
    if (index > 0) yield punctuation(', ');
    if (name !== undefined) {
      yield key(name);
      yield punctuation(': ');
    }
    yield* inline(member, limit, depth + 1);
  }
  yield punctuation(closing);
}

function membersOf(input: unknown): readonly (readonly [string | undefined, unknown])[] | undefined {
  if (Array.isArray(input)) return input.map((item) => [undefined, item] as const);
  if (isLosslessNumber(input) || !isRecord(input)) return undefined;
  return Object.entries(input).map(([name, member]) => [memberName(name), member] as const);
}

const memberName = (name: string) =>
  /^[A-Za-z_$][\w$]*$/.test(name) ? name : escapeInText(JSON.stringify(name));

function scalar(input: unknown, limit: number): string {
  if (isLosslessNumber(input)) return input.value;
  // Escapes only the part of a long string that can be shown.
  if (typeof input === 'string')
    return escapeInText(JSON.stringify(limit < input.length ? input.slice(0, limit + 1) : input));
  return JSON.stringify(input) ?? 'null';
}
