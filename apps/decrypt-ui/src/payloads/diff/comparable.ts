import { escapeInText } from '@temporal-kms/codec-api';
import { isLosslessNumber } from 'lossless-json';
import { hexLine } from '../value/hex.ts';
import { parseJson, type PayloadValue } from '../value/payload-value.ts';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import { stringifyJson } from '../value/stringify-json.ts';

/** One side of a comparison: a decoded payload, or lines. */
export type Compared = PayloadValue | readonly string[];

/**
 * The part of `Compared` that a worker needs: for JSON only the text, because copying the parsed value would block
 * the page.
 */
export type Comparable =
  | Exclude<PayloadValue, { kind: 'json' }>
  | { readonly kind: 'json'; readonly text: string }
  | readonly string[];

export const comparableOf = (compared: Compared): Comparable =>
  'kind' in compared && compared.kind === 'json' ? { kind: 'json', text: compared.text } : compared;

/** Returns the lines of one side. There may be a hundred thousand lines, so call the function in a worker. */
export function linesOf(comparable: Comparable): readonly string[] {
  if (!('kind' in comparable)) return comparable;
  return comparableLines(
    comparable.kind === 'json' ? { ...comparable, value: parseJson(comparable.text) } : comparable,
  );
}

/**
 * Returns the lines of a decoded payload for a comparison. Members of JSON objects are sorted, so that their order in
 * the payload makes no difference. Numbers keep every digit.
 */
export function comparableLines(value: PayloadValue): string[] {
  switch (value.kind) {
    case 'json':
      return writeJson(value.value, { name: '', end: '', depth: 0 }, []).map(escapeInText);
    case 'text':
      return escapeInText(value.text).split('\n');
    case 'bytes':
      return Array.from({ length: Math.ceil(value.bytes.length / 16) }, (_, index) => {
        const { hex, ascii } = hexLine(value.bytes, index);
        return `${hex.padEnd(48)}  ${ascii}`;
      });
    default:
      return [];
  }
}

/** Values nested deeper than this take one line and are not sorted. This limit bounds the recursion. */
const MAX_DEPTH = 200;
/** Maximum indentation depth: deeper indentation could be many times longer than the values. */
const MAX_INDENT = 20;

interface Place {
  /** `"id": ` */
  readonly name: string;
  /** A comma, or an empty string after the last value. */
  readonly end: string;
  readonly depth: number;
}

function writeJson(value: unknown, { name, end, depth }: Place, lines: string[]): string[] {
  const indent = '  '.repeat(Math.min(depth, MAX_INDENT));
  const isArray = Array.isArray(value);
  const names = isRecord(value) && !isLosslessNumber(value) ? Object.keys(value).toSorted() : [];
  const members: readonly (readonly [name: string, value: unknown])[] = isArray
    ? value.map((item) => ['', item])
    : names.map((each) => [`${JSON.stringify(each)}: `, isRecord(value) ? value[each] : undefined]);
  if (members.length === 0 || depth > MAX_DEPTH) {
    lines.push(`${indent}${name}${stringifyJson(value)}${end}`);
    return lines;
  }
  lines.push(`${indent}${name}${isArray ? '[' : '{'}`);
  for (const [index, [each, member]] of members.entries())
    writeJson(member, { name: each, end: index < members.length - 1 ? ',' : '', depth: depth + 1 }, lines);
  lines.push(`${indent}${isArray ? ']' : '}'}${end}`);
  return lines;
}
