import type { SearchHit } from '@temporal-kms/codec-api';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import { isLosslessNumber } from 'lossless-json';
import type { PayloadValue } from '../payloads/value/payload-value.ts';

/** The text on both sides of a match. */
export interface HitContext {
  readonly before: string;
  readonly after: string;
}

/** Maximum number of characters on each side of a match. */
const REACH = 40;

/**
 * Returns the text around a hit's first match in its decrypted payload, or undefined if the payload does not contain the
 * match.
 */
export function hitContext(
  value: PayloadValue,
  { pointer, in: place, snippet }: SearchHit,
): HitContext | undefined {
  const text = place === 'key' ? pointerSteps(pointer).at(-1) : textAt(value, pointer);
  const from = text?.indexOf(snippet.match) ?? -1;
  if (text === undefined || from < 0) return undefined;
  const to = from + snippet.match.length;
  return {
    before: `${from > REACH ? '…' : ''}${text.slice(Math.max(from - REACH, 0), from)}`,
    after: `${text.slice(to, to + REACH)}${to + REACH < text.length ? '…' : ''}`,
  };
}

/** Returns the steps of a JSON Pointer (RFC 6901). */
const pointerSteps = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));

function textAt(value: PayloadValue, pointer: string): string | undefined {
  if (value.kind === 'text') return pointer === '' ? value.text : undefined;
  if (value.kind !== 'json') return undefined;
  const found = pointerSteps(pointer).reduce<unknown>(
    (inner, step) =>
      (isRecord(inner) || Array.isArray(inner)) && Object.hasOwn(inner, step)
        ? Reflect.get(inner, step)
        : undefined,
    value.value,
  );
  if (isLosslessNumber(found)) return found.value;
  return typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean'
    ? String(found)
    : undefined;
}
