import { escapeInText } from '@temporal-kms/codec-api';
import { isLosslessNumber, stringify } from 'lossless-json';
import { hexLine } from './hex.ts';
import type { PayloadValue } from './payload-value.ts';
import { isRecord } from './values.ts';

/**
 * The lines of a decoded payload for a comparison. The members of JSON objects are in alphabetical order, so that their order
 * in the payload makes no difference, and numbers keep every digit.
 */
export function comparableLines(value: PayloadValue): string[] {
  switch (value.kind) {
    case 'json':
      return escapeInText(stringify(sorted(value.value), undefined, 2) ?? 'null').split('\n');
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

/** Values that are nested deeper keep their order. This bounds the recursion. */
const MAX_DEPTH = 200;

function sorted(value: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH || isLosslessNumber(value)) return value;
  if (Array.isArray(value)) return value.map((item) => sorted(item, depth + 1));
  if (!isRecord(value)) return value;
  const names = Object.keys(value).toSorted();
  return Object.fromEntries(names.map((name) => [name, sorted(value[name], depth + 1)]));
}
