import { escapeInvisible, payloadPlaceholder } from '@temporal-kms/codec-api';
import { durationAt, millisOf } from '@temporal-kms/histories/events';
import { enumWords } from '../../payloads/value/attribute-words.ts';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import { formatTick } from '../../ui/format/duration.ts';
import { formatCount } from '../../ui/format/number.ts';
import { formatMomentExact, type TimeFormat } from '../../ui/format/time.ts';

/**
 * Returns a message's fields as pairs of path and text, with invisible characters escaped. Omits payloads and
 * failures, which have separate views, and fields with proto3 default values.
 */
export function attributeList(value: unknown, path = ''): [string, string][] {
  if (payloadPlaceholder.safeParse(value).success || isUnset(value)) return [];
  if (Array.isArray(value)) {
    const simple = value.every((item) => !isRecord(item) && !Array.isArray(item));
    if (simple) return [pair(path, value.map(String).join(', '))];
    return value.flatMap((item, index) => attributeList(item, `${path}[${index}]`));
  }
  if (isRecord(value)) {
    return Object.entries(value).flatMap(([name, member]) =>
      failures.has(name) ? [] : attributeList(member, path === '' ? name : `${path}.${name}`),
    );
  }
  return [pair(path, String(value))];
}

const pair = (path: string, value: string): [string, string] => [
  escapeInvisible(path),
  escapeInvisible(value),
];

const failures = new Set(['failure', 'lastFailure', 'continuedFailure']);

function isUnset(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  if (value === 0 || value === '0' || value === '0s') return true;
  if (typeof value === 'string') return value.endsWith('_UNSPECIFIED') || value.startsWith('0001-01-01T');
  return Array.isArray(value) && value.length === 0;
}

/**
 * Formats an attribute for display: a timestamp as a moment, a time limit with its unit, a count with
 * separators, an enum value in words.
 */
export function formatAttribute(name: string, value: string, format: TimeFormat): string {
  const millis = /^\d{4}-\d\d-\d\dT/.test(value) ? millisOf(value) : undefined;
  if (millis !== undefined) return formatMomentExact(millis, format);
  const duration = /(timeout|interval|backoff|ttl|delay)$/i.test(name)
    ? durationAt({ value }, 'value')
    : undefined;
  if (duration !== undefined) return formatTick(duration);
  if (/(bytes|length|count)$/i.test(name) && /^\d+$/.test(value)) return formatCount(Number(value));
  return value
    .split(', ')
    .map((part) => enumWords(part) ?? part)
    .join(', ');
}
