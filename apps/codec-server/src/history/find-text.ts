import type { MaskedLength, SearchHit } from '@temporal-kms/codec-api';
import type { Payload } from '../payload.ts';
import { utf8Text } from '../utf8.ts';

/** Where in a decoded payload the text stands. */
export type TextMatch = Pick<SearchHit, 'pointer' | 'in' | 'matches' | 'snippet' | 'more'>;

/** Of one payload; a list of a thousand equal words must not fill the answer. */
const MAX_MATCHES = 100;

/** Characters that mean something in a pattern, ECMA-262's SyntaxCharacter and the slash: literal with a `\` before. */
const SYNTAX = /[\^$\\.*+?()[\]{}|/]/g;

/**
 * Looks for literal text in decoded payloads: keys, strings, numbers and words of JSON, each by itself; the whole body
 * where it is other UTF-8 text. Without `caseSensitive` letters are compared by Unicode's simple case folding.
 */
export function textFinder(text: string, caseSensitive: boolean): (payload: Payload) => TextMatch[] {
  const pattern = new RegExp(text.replaceAll(SYNTAX, '\\$&'), caseSensitive ? 'gu' : 'giu');
  return (payload) => {
    const body = textOf(payload.data);
    if (body === undefined) return [];
    // A body without escapes holds each of its strings as it stands: what isn't in it isn't in one of them.
    if (!body.includes('\\') && body.search(pattern) === -1) return [];
    const encoding = textOf(payload.metadata?.['encoding']) ?? '';
    const json = encoding.startsWith('json/') ? parse(body) : undefined;
    return json === undefined ? whole(pattern, body) : inJson(pattern, json.value);
  };
}

const textOf = (bytes: Uint8Array | null | undefined): string | undefined =>
  bytes && bytes.length > 0 ? utf8Text(bytes) : undefined;

/** A number as it was written: 64-bit ids don't survive becoming a double. */
class NumberText {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

function parse(body: string): { readonly value: unknown } | undefined {
  try {
    return {
      value: JSON.parse(body, (_, value: unknown, context?: { source?: string }) =>
        typeof value === 'number' ? new NumberText(context?.source ?? String(value)) : value,
      ),
    };
  } catch {
    // No JSON, or nested deeper than the stack: then it is searched as text.
    return undefined;
  }
}

function whole(pattern: RegExp, body: string): TextMatch[] {
  const found = matchIn(pattern, body);
  return found === undefined ? [] : [{ pointer: '', in: 'value', ...found }];
}

interface Node {
  readonly value: unknown;
  readonly parent: Node | undefined;
  readonly token: string;
}

/** In the order of the document. No recursion, since whoever writes payloads chooses their depth. */
function inJson(pattern: RegExp, root: unknown): TextMatch[] {
  const matches: TextMatch[] = [];
  let more = 0;
  const look = (node: Node, place: 'key' | 'value', text: string): void => {
    const found = matchIn(pattern, text);
    if (found === undefined) return;
    if (matches.length < MAX_MATCHES) matches.push({ pointer: pointerOf(node), in: place, ...found });
    else more += 1;
  };
  const waiting: Node[] = [{ value: root, parent: undefined, token: '' }];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    const { value, parent } = node;
    if (parent !== undefined && !Array.isArray(parent.value)) look(node, 'key', node.token);
    if (typeof value !== 'object' || value === null) {
      look(node, 'value', String(value));
    } else if (value instanceof NumberText) {
      look(node, 'value', value.source);
    } else {
      for (const [token, child] of Object.entries(value).toReversed())
        waiting.push({ value: child, parent: node, token });
    }
  }
  const last = matches.at(-1);
  return more === 0 || last === undefined ? matches : [...matches.slice(0, -1), { ...last, more }];
}

/** https://www.rfc-editor.org/rfc/rfc6901 */
function pointerOf(node: Node): string {
  let pointer = '';
  for (let one: Node | undefined = node; one?.parent !== undefined; one = one.parent)
    pointer = `/${one.token.replaceAll('~', '~0').replaceAll('/', '~1')}${pointer}`;
  return pointer;
}

function matchIn(pattern: RegExp, text: string): Pick<TextMatch, 'matches' | 'snippet'> | undefined {
  pattern.lastIndex = 0;
  const first = pattern.exec(text);
  if (first === null) return undefined;
  const [match] = first;
  let matches = 1;
  while (pattern.exec(text) !== null) matches += 1;
  const before = masked(first.index);
  const after = masked(text.length - first.index - match.length);
  return { matches, snippet: { before, match, after } };
}

function masked(length: number): MaskedLength {
  if (length === 0) return '0';
  if (length <= 4) return '1-4';
  if (length <= 16) return '5-16';
  return length <= 64 ? '17-64' : '65+';
}
