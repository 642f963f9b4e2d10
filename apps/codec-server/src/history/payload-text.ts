import type { MaskedLength, SearchHit } from '@temporal-kms/codec-api';
import { utf8Text } from '@temporal-kms/histories/bytes';
import { JsonScanner, unescaped } from '@temporal-kms/histories/json-scanner';
import type { PayloadBody } from '@temporal-kms/histories/readable';

/** The place where a decoded payload contains the text. */
export type TextMatch = Pick<SearchHit, 'pointer' | 'in' | 'matches' | 'snippet' | 'more'>;

/**
 * Literal text to search for. Letters are compared by Unicode's simple case folding, unless `caseSensitive`
 * is true.
 */
export interface TextQuery {
  readonly text: string;
  readonly caseSensitive: boolean;
}

/**
 * Maximum number of matches per payload, so that a list that repeats a word a thousand times cannot fill the
 * response.
 */
const MAX_MATCHES = 100;

/**
 * Maximum nesting of JSON. Bodies that are nested deeper are searched as text, because pointers into such
 * bodies would not be useful.
 */
const MAX_DEPTH = 1_000;

/** Maximum length of a JSON Pointer in characters. A key may be as long as its payload. */
const MAX_POINTER = 4_096;

/** Characters that have to be escaped in a pattern: ECMA-262's SyntaxCharacter, and the slash. */
const SYNTAX = /[\^$\\.*+?()[\]{}|/]/g;

/**
 * Returns a function that finds the text in decoded payloads. In JSON, searches each key, string, number and
 * literal separately; in other UTF-8 text, searches the whole body.
 */
export function textFinder({ text, caseSensitive }: TextQuery): (body: PayloadBody) => TextMatch[] {
  const pattern = new RegExp(text.replaceAll(SYNTAX, '\\$&'), caseSensitive ? 'gu' : 'giu');
  return ({ data, encoding }) => {
    const body = utf8Text(data);
    if (body === undefined || body === '') return [];
    const first = indexIn(pattern, body, 0);
    // A JSON body without escapes contains all its strings literally, so text that is not in the body is in
    // no string.
    if (first === Number.POSITIVE_INFINITY && !body.includes('\\')) return [];
    const inJson = encoding.startsWith('json/') ? findInJson(pattern, body) : undefined;
    if (inJson !== undefined) return inJson;
    const match = matchIn(pattern, body);
    return match === undefined ? [] : [{ pointer: '', in: 'value', ...match }];
  };
}

/** Returns undefined if the body is not JSON or is nested too deeply. */
function findInJson(pattern: RegExp, body: string): TextMatch[] | undefined {
  const scanner = new JsonScanner(body, MAX_DEPTH);
  const found: TextMatch[] = [];
  let more = 0;
  /**
   * The position of the next match in the raw body. A token that ends before this position cannot contain the
   * text.
   */
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

/** Returns the index of the first match from `start` on, or infinity. */
function indexIn(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.exec(text)?.index ?? Number.POSITIVE_INFINITY;
}

/** Returns the first match and the number of matches in the token, or undefined if there is no match. */
function matchIn(pattern: RegExp, token: string): Pick<TextMatch, 'matches' | 'snippet'> | undefined {
  pattern.lastIndex = 0;
  const first = pattern.exec(token);
  if (first === null) return undefined;
  const [match] = first;
  let matches = 1;
  while (pattern.exec(token) !== null) matches += 1;
  const before = maskedLength(first.index);
  const after = maskedLength(token.length - first.index - match.length);
  return { matches, snippet: { before, match, after } };
}

function maskedLength(length: number): MaskedLength {
  if (length === 0) return '0';
  if (length <= 4) return '1-4';
  if (length <= 16) return '5-16';
  return length <= 64 ? '17-64' : '65+';
}
