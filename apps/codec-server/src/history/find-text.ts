import type { MaskedLength, SearchHit } from '@temporal-kms/codec-api';
import { JsonScanner, unescaped } from '../json/json-scanner.ts';
import { utf8Text } from '../utf8.ts';

/** Where in a decoded payload the text stands. */
export type TextMatch = Pick<SearchHit, 'pointer' | 'in' | 'matches' | 'snippet' | 'more'>;

/** What a search looks for: literal text; without `caseSensitive` letters are compared by Unicode's simple case folding. */
export interface TextQuery {
  readonly text: string;
  readonly caseSensitive: boolean;
}

/** A decoded payload's bytes, and its `encoding`. */
export interface Body {
  readonly data: Uint8Array;
  readonly encoding: string;
}

/** Of one payload; a list of a thousand equal words must not fill the answer. */
const MAX_MATCHES = 100;

/** Levels of JSON. A body that nests deeper is searched as text: a pointer to it would be of no use. */
const MAX_DEPTH = 1_000;

/** Characters of a JSON Pointer; the keys of a payload may be as long as the payload. */
const MAX_POINTER = 4_096;

/** Characters that mean something in a pattern, ECMA-262's SyntaxCharacter and the slash: literal with a `\` before. */
const SYNTAX = /[\^$\\.*+?()[\]{}|/]/g;

/**
 * Returns a function that finds the text in decoded payloads: keys, strings, numbers and words of JSON, each by itself;
 * the whole body where it is other UTF-8 text.
 */
export function textFinder({ text, caseSensitive }: TextQuery): (body: Body) => TextMatch[] {
  const pattern = new RegExp(text.replaceAll(SYNTAX, '\\$&'), caseSensitive ? 'gu' : 'giu');
  return ({ data, encoding }) => {
    const body = utf8Text(data);
    if (body === undefined || body === '') return [];
    const first = indexIn(pattern, body, 0);
    // A body without escapes holds each of its strings as it stands: what isn't in it isn't in one of them.
    if (first === Number.POSITIVE_INFINITY && !body.includes('\\')) return [];
    const inJson = encoding.startsWith('json/') ? findInJson(pattern, body) : undefined;
    if (inJson !== undefined) return inJson;
    const match = matchIn(pattern, body);
    return match === undefined ? [] : [{ pointer: '', in: 'value', ...match }];
  };
}

/** @returns undefined where the body isn't JSON, or nests too deep */
function findInJson(pattern: RegExp, body: string): TextMatch[] | undefined {
  const scanner = new JsonScanner(body, MAX_DEPTH);
  const found: TextMatch[] = [];
  let more = 0;
  /** Where the text stands next in the body as it is written; only tokens that reach so far can hold it. */
  let next = -1;
  const isJson = scanner.scan((place, start, end, escaped) => {
    if (!escaped) {
      if (next < start) next = indexIn(pattern, body, start);
      if (next >= end) return;
    }
    const match = matchIn(pattern, escaped ? unescaped(body, start, end) : body.slice(start, end));
    if (match === undefined) return;
    if (found.length < MAX_MATCHES)
      found.push({ pointer: scanner.pointer(MAX_POINTER), in: place, ...match });
    else more += 1;
  });
  if (!isJson) return undefined;
  const last = found.at(-1);
  return more === 0 || last === undefined ? found : [...found.slice(0, -1), { ...last, more }];
}

/** @returns where the pattern matches first from `start` on, or infinity */
function indexIn(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.exec(text)?.index ?? Number.POSITIVE_INFINITY;
}

/** The first match, and how often the token holds the text; undefined where it doesn't. */
function matchIn(pattern: RegExp, token: string): Pick<TextMatch, 'matches' | 'snippet'> | undefined {
  pattern.lastIndex = 0;
  const first = pattern.exec(token);
  if (first === null) return undefined;
  const [match] = first;
  let matches = 1;
  while (pattern.exec(token) !== null) matches += 1;
  const before = masked(first.index);
  const after = masked(token.length - first.index - match.length);
  return { matches, snippet: { before, match, after } };
}

function masked(length: number): MaskedLength {
  if (length === 0) return '0';
  if (length <= 4) return '1-4';
  if (length <= 16) return '5-16';
  return length <= 64 ? '17-64' : '65+';
}
