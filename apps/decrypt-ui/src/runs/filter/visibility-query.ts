import { quoted } from '@temporal-kms/codec-api';

/*
 * The list's filter is a Temporal visibility query (https://docs.temporal.io/list-filter). The page shows it as
 * conditions joined by AND, and prints them back to the same query. A text that it cannot parse stays unchanged.
 */

const operators = ['=', '!=', '>=', '<=', '>', '<', 'STARTS_WITH', 'NOT STARTS_WITH'] as const;
type Operator = (typeof operators)[number] | 'IN' | 'NOT IN' | 'BETWEEN' | 'IS NULL' | 'IS NOT NULL';

interface Value {
  readonly text: string;
  /** Whether queries quote the value; false for numbers and booleans. */
  readonly quoted: boolean;
}

export interface Comparison {
  readonly kind: 'comparison';
  readonly attribute: string;
  readonly operator: Operator;
  readonly values: readonly Value[];
}

/** A condition of a query. Runs must meet all conditions. */
export type Condition =
  | Comparison
  /** At least one of the comparisons must hold. */
  | { readonly kind: 'any'; readonly of: readonly Comparison[] }
  /** The text of a condition that is too complex for a chip in words, without its surrounding parentheses. */
  | { readonly kind: 'text'; readonly text: string };

export type ListQuery =
  | { readonly kind: 'conditions'; readonly conditions: readonly Condition[] }
  /** Text that is not a list of conditions; `problem` says why. */
  | { readonly kind: 'raw'; readonly text: string; readonly problem: string };

export const textValue = (text: string): Value => ({ text, quoted: true });

export const comparison = (
  attribute: string,
  operator: Operator,
  values: readonly (string | Value)[],
): Comparison => ({
  kind: 'comparison',
  attribute,
  operator,
  values: values.map((value) => (typeof value === 'string' ? textValue(value) : value)),
});

/**
 * Returns the condition for a single word, which selects the runs whose workflow id or type begins with the
 * word.
 */
export const prefixCondition = (word: string): Condition => ({
  kind: 'any',
  of: [comparison('WorkflowId', 'STARTS_WITH', [word]), comparison('WorkflowType', 'STARTS_WITH', [word])],
});

/** Returns whether the text is a single word without an operator: it then searches workflow ids and types by prefix. */
export const isWord = (text: string) => /^[^\s"'`=<>!()]+$/.test(text);

/** Parses a query. A single word becomes the condition that searches ids and types by prefix. */
export function parseQuery(text: string): ListQuery {
  const term = text.trim();
  if (term === '') return { kind: 'conditions', conditions: [] };
  if (isWord(term)) return { kind: 'conditions', conditions: [prefixCondition(term)] };
  const tokens = tokensOf(term);
  if (tokens === undefined) {
    return {
      kind: 'raw',
      text: term,
      problem: 'a quotation mark is not closed, or a character is unexpected',
    };
  }
  const clause = tokens.find(({ upper }) => upper === 'ORDER' || upper === 'GROUP');
  if (clause) return { kind: 'raw', text: term, problem: `it contains ${clause.upper} BY` };
  if (!isBalanced(tokens)) return { kind: 'raw', text: term, problem: 'its parentheses do not match' };
  const conditions = conjunction(term, tokens);
  if (conditions === undefined) {
    return { kind: 'raw', text: term, problem: 'a part of it does not compare an attribute with a value' };
  }
  return { kind: 'conditions', conditions };
}

/** Returns a query's text, from which `parseQuery` returns the same query. */
export const printQuery = (query: ListQuery): string =>
  query.kind === 'raw' ? query.text : query.conditions.map(printCondition).join(' AND ');

function printCondition(condition: Condition): string {
  if (condition.kind === 'text') return `(${condition.text})`;
  if (condition.kind === 'any') return `(${condition.of.map(printComparison).join(' OR ')})`;
  return printComparison(condition);
}

function printComparison({ attribute, operator, values }: Comparison): string {
  const name = /^[A-Za-z_][\w.]*$/.test(attribute) ? attribute : `\`${attribute}\``;
  const printed = values.map(({ text, quoted: isText }) => (isText ? quoted(text) : text));
  if (operator === 'IN' || operator === 'NOT IN') return `${name} ${operator} (${printed.join(', ')})`;
  if (operator === 'BETWEEN') return `${name} BETWEEN ${printed.join(' AND ')}`;
  return [name, operator, ...printed].join(' ');
}

const timeAttribute = /^(?:StartTime|CloseTime|ExecutionTime)$/;
/** Returns whether an attribute is one of Temporal's time attributes, whose values may be relative. */
export const isTimeAttribute = (attribute: string) => timeAttribute.test(attribute);

const relative = /^-(\d{1,6})([smhdw])$/;
const unitMillis: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Returns whether a time attribute's value is relative to now: `-24h`, `today`. */
export const isRelativeTime = (text: string) => text === 'today' || relative.test(text);

/**
 * Replaces relative times, as in `StartTime >= "-24h"`, with times that Temporal understands. A query with
 * relative times can be saved and shared, because its times are relative to the moment at which it is used.
 *
 * @param midnight the start of today in milliseconds since 1970
 */
export function resolveTimes(text: string, now: number, midnight: number): string {
  const tokens = tokensOf(text) ?? [];
  let resolved = '';
  let end = 0;
  let attribute = '';
  for (const token of tokens) {
    if (token.type === 'word') {
      if (isTimeAttribute(token.text)) attribute = token.text;
      else if (!['AND', 'BETWEEN'].includes(token.upper)) attribute = '';
    }
    if (token.type !== 'string' || attribute === '' || !isRelativeTime(token.text)) continue;
    resolved +=
      text.slice(end, token.start) + quoted(new Date(timeOf(token.text, now, midnight)).toISOString());
    end = token.end;
  }
  return resolved + text.slice(end);
}

function timeOf(text: string, now: number, midnight: number): number {
  const [, count = '0', unit = 's'] = relative.exec(text) ?? [];
  if (text === 'today') return midnight;
  return now - Number(count) * (unitMillis[unit] ?? 0);
}

interface Token {
  readonly type: 'word' | 'string' | 'number' | 'operator' | 'open' | 'close' | 'comma';
  /** The text without quotation marks and escapes. */
  readonly text: string;
  /** A word's text in upper case; empty for other tokens. */
  readonly upper: string;
  readonly start: number;
  readonly end: number;
}

const lexer =
  /\s+|(?<name>`[^`]+`)|(?<word>[A-Za-z_][\w.]*)|(?<string>"(?:[^"\\]|\\.|"")*"|'(?:[^'\\]|\\.|'')*')|(?<number>-?\d+(?:\.\d+)?)|(?<operator>!=|<>|>=|<=|[=<>])|(?<open>\()|(?<close>\))|(?<comma>,)/suy;

/** Splits a query into tokens. Returns undefined if a part of the query is not a token. */
function tokensOf(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  lexer.lastIndex = 0;
  while (lexer.lastIndex < text.length) {
    const start = lexer.lastIndex;
    const { groups } = lexer.exec(text) ?? {};
    if (groups === undefined) return undefined;
    const end = lexer.lastIndex;
    const { name, word, string, number, operator } = groups;
    const add = (type: Token['type'], own: string, upper = '') =>
      tokens.push({ type, text: own, upper, start, end });
    if (name !== undefined) add('word', name.slice(1, -1));
    else if (word !== undefined) add('word', word, word.toUpperCase());
    else if (string !== undefined) add('string', unquoted(string));
    else if (number !== undefined) add('number', number);
    else if (operator !== undefined) add('operator', operator === '<>' ? '!=' : operator);
    else if (groups['open'] !== undefined) add('open', '(');
    else if (groups['close'] !== undefined) add('close', ')');
    else if (groups['comma'] !== undefined) add('comma', ',');
  }
  return tokens;
}

function unquoted(literal: string): string {
  const mark = literal[0] ?? '"';
  return literal
    .slice(1, -1)
    .replaceAll(mark + mark, mark)
    .replaceAll(/\\(.)/gsu, '$1');
}

function isBalanced(tokens: readonly Token[]): boolean {
  let depth = 0;
  for (const { type } of tokens) {
    if (type === 'open') depth += 1;
    if (type === 'close') depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}

/** Splits tokens at each AND or OR outside parentheses. The AND of a BETWEEN does not count. */
function split(tokens: readonly Token[], word: 'AND' | 'OR'): Token[][] {
  const parts: Token[][] = [[]];
  let depth = 0;
  let between = false;
  for (const token of tokens) {
    if (token.type === 'open') depth += 1;
    if (token.type === 'close') depth -= 1;
    if (depth === 0 && token.upper === 'BETWEEN') between = true;
    else if (depth === 0 && token.upper === 'AND' && between) between = false;
    else if (depth === 0 && token.upper === word) {
      parts.push([]);
      continue;
    }
    parts.at(-1)?.push(token);
  }
  return parts;
}

function conjunction(text: string, tokens: readonly Token[]): Condition[] | undefined {
  // AND binds more tightly than OR, so a query with an OR outside parentheses is one condition.
  const alternatives = split(tokens, 'OR');
  if (alternatives.length > 1) return some(alternative(text, tokens, alternatives));
  const conditions = split(tokens, 'AND').map((part) => conditionOf(text, part));
  return conditions.every((found) => found !== undefined) ? conditions : undefined;
}

const some = <T>(value: T | undefined): T[] | undefined => (value === undefined ? undefined : [value]);

function conditionOf(text: string, tokens: readonly Token[]): Condition | undefined {
  const [first, ...rest] = tokens;
  if (first?.type === 'open' && rest.at(-1)?.type === 'close' && isBalanced(tokens.slice(1, -1))) {
    const inner = tokens.slice(1, -1);
    return alternative(text, inner, split(inner, 'OR'));
  }
  const single = comparisonOf(tokens);
  if (single) return single;
  // `NOT (…)` is valid, but has no chip in words.
  return first?.upper === 'NOT' && rest[0]?.type === 'open' ? opaque(text, tokens) : undefined;
}

function alternative(
  text: string,
  tokens: readonly Token[],
  parts: readonly (readonly Token[])[],
): Condition | undefined {
  const comparisons = parts.map(comparisonOf);
  const [only] = comparisons;
  if (comparisons.length === 1 && only) return only;
  if (comparisons.every((found) => found !== undefined)) return { kind: 'any', of: comparisons };
  return opaque(text, tokens);
}

function opaque(text: string, tokens: readonly Token[]): Condition | undefined {
  const first = tokens[0];
  const last = tokens.at(-1);
  return first && last ? { kind: 'text', text: text.slice(first.start, last.end) } : undefined;
}

function comparisonOf(tokens: readonly Token[]): Comparison | undefined {
  const [name, ...rest] = tokens;
  if (name?.type !== 'word' || ['NOT', 'AND', 'OR'].includes(name.upper)) return undefined;
  const words: string[] = [];
  while (rest[0] && (rest[0].type === 'operator' || keywords.has(rest[0].upper))) {
    const token = rest.shift();
    words.push(token?.upper || token?.text || '');
  }
  const operator = words.join(' ');
  const attribute = name.text;
  if (operator === 'IS NULL' || operator === 'IS NOT NULL') {
    return rest.length === 0 ? { kind: 'comparison', attribute, operator, values: [] } : undefined;
  }
  if (operator === 'IN' || operator === 'NOT IN') {
    const values = listOf(rest);
    return values && { kind: 'comparison', attribute, operator, values };
  }
  if (operator === 'BETWEEN') {
    const [low, and, high, ...more] = rest;
    const values = [valueOf(low), valueOf(high)].filter((value) => value !== undefined);
    const ok = and?.upper === 'AND' && values.length === 2 && more.length === 0;
    return ok ? { kind: 'comparison', attribute, operator, values } : undefined;
  }
  const known = operators.find((candidate) => candidate === operator);
  const value = valueOf(rest[0]);
  return known && value && rest.length === 1
    ? { kind: 'comparison', attribute, operator: known, values: [value] }
    : undefined;
}

const keywords: ReadonlySet<string> = new Set(['IN', 'NOT', 'IS', 'NULL', 'BETWEEN', 'STARTS_WITH']);

function valueOf(token: Token | undefined): Value | undefined {
  if (token?.type === 'string') return textValue(token.text);
  if (token?.type === 'number') return { text: token.text, quoted: false };
  return token?.upper === 'TRUE' || token?.upper === 'FALSE'
    ? { text: token.upper.toLowerCase(), quoted: false }
    : undefined;
}

/** Returns the values of `("a", "b")`. */
function listOf(tokens: readonly Token[]): Value[] | undefined {
  if (tokens[0]?.type !== 'open' || tokens.at(-1)?.type !== 'close') return undefined;
  const values: Value[] = [];
  for (const [index, token] of tokens.slice(1, -1).entries()) {
    const value = valueOf(token);
    if (index % 2 === 1 ? token.type !== 'comma' : value === undefined) return undefined;
    if (value) values.push(value);
  }
  return values.length > 0 && tokens.length % 2 === 1 ? values : undefined;
}
