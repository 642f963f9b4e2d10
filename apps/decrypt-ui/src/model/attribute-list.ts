import { escapeInvisible, payloadPlaceholder } from '@temporal-kms/codec-api';
import { isRecord } from './values.ts';

/**
 * A message's fields as `path` and text, for reading. Left out: payloads (they are shown as such), failures, and what
 * proto3 counts as unset.
 */
export function attributeList(value: unknown, path = ''): [string, string][] {
  if (payloadPlaceholder.safeParse(value).success || isUnset(value)) return [];
  if (Array.isArray(value)) {
    const simple = value.every((item) => !isRecord(item) && !Array.isArray(item));
    if (simple) return [listed(path, value.map(String).join(', '))];
    return value.flatMap((item, index) => attributeList(item, `${path}[${index}]`));
  }
  if (isRecord(value)) {
    return Object.entries(value).flatMap(([name, member]) =>
      failures.has(name) ? [] : attributeList(member, path === '' ? name : `${path}.${name}`),
    );
  }
  return [listed(path, String(value))];
}

const listed = (path: string, value: string): [string, string] => [
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
