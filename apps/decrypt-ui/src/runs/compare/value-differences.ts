import { isLosslessNumber } from 'lossless-json';
import { hasMembers, jsonInline, memberName } from '../../payloads/value/json-text.ts';
import type { PayloadValue } from '../../payloads/value/payload-value.ts';
import { stringifyJson } from '../../payloads/value/stringify-json.ts';
import { formatBytes } from '../../ui/format/number.ts';

/** A place at which two payloads differ. */
export interface Difference {
  /** `customer.name` or `items[2].sku`; empty for the whole payload. */
  readonly path: string;
  /**
   * The value's text, without quotes for strings. The text is absent if only the other payload has a value at
   * this path.
   */
  readonly left?: string;
  readonly right?: string;
}

/** Maximum number of differences listed for two payloads. */
const MOST = 200;
/** Values nested deeper than this are compared as a whole. This limit bounds the recursion. */
const MAX_DEPTH = 60;
/** Maximum number of characters shown of an object or array. */
const WHOLE = 60;

/**
 * Returns where two decoded payloads differ. Ignores the order of JSON members, but compares every digit of
 * numbers.
 */
export function valueDifferences(left: PayloadValue, right: PayloadValue): Difference[] {
  if (left.kind === 'json' && right.kind === 'json') {
    const found: Difference[] = [];
    visit({ path: '', left: left.value, right: right.value, depth: 0 }, found);
    return found;
  }
  const [one, other] = [wholeText(left), wholeText(right)];
  const isSame = left.kind === right.kind && one === other && sameBytes(left, right);
  return isSame ? [] : [{ path: '', left: one, right: other }];
}

function wholeText(value: PayloadValue): string {
  switch (value.kind) {
    case 'json':
      return textOf(value.value);
    case 'text':
      return value.text;
    case 'bytes':
      return formatBytes(value.bytes.length);
    default:
      return 'empty';
  }
}

function sameBytes(left: PayloadValue, right: PayloadValue): boolean {
  if (left.kind !== 'bytes' || right.kind !== 'bytes') return true;
  return left.bytes.length === right.bytes.length && left.bytes.every((byte, at) => byte === right.bytes[at]);
}

/** The values of two payloads at the same place. */
interface Place {
  readonly path: string;
  readonly left: unknown;
  readonly right: unknown;
  readonly depth: number;
}

function visit({ path, left, right, depth }: Place, found: Difference[]): void {
  if (found.length >= MOST || left === right) return;
  const isArray = Array.isArray(left);
  if (!hasMembers(left) || !hasMembers(right) || isArray !== Array.isArray(right) || depth >= MAX_DEPTH) {
    if (stringifyJson(left) !== stringifyJson(right))
      found.push({ path, left: textOf(left), right: textOf(right) });
    return;
  }
  for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
    if (found.length >= MOST) return;
    const member = isArray
      ? `${path}[${name}]`
      : path === ''
        ? memberName(name)
        : `${path}.${memberName(name)}`;
    const [ours, theirs] = [left, right].map((owner): unknown => Reflect.get(owner, name));
    if (!Object.hasOwn(left, name)) found.push({ path: member, right: textOf(theirs) });
    else if (!Object.hasOwn(right, name)) found.push({ path: member, left: textOf(ours) });
    else visit({ path: member, left: ours, right: theirs, depth: depth + 1 }, found);
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (isLosslessNumber(value)) return value.value;
  return jsonInline(value, WHOLE)
    .map(({ text }) => text)
    .join('');
}
