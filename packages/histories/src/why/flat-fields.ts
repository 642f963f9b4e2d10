import { isRecord } from '@temporal-kms/node-utils/is-record';
import type { FieldMap } from './differs.ts';

/** Maximum number of fields of one value. An input may be a document with thousands of fields. */
const MAX_FIELDS = 200;
/** Longer text is compared only by its length. */
const MAX_TEXT = 200;
const MAX_DEPTH = 6;

/**
 * Returns the fields of a JSON value: `{ order: { items: ['a', 'b'] } }` under `input` has
 * `input.order.items.length` 2 and `input.order.items[0]` 'a'. Only the first three items of a list become
 * fields.
 *
 * @example
 * flatFields('input', { amount: 1200, card: { country: 'DE' } }); // { 'input.amount': 1200, 'input.card.country': 'DE' }
 */
export function flatFields(name: string, value: unknown): FieldMap {
  const fields: Record<string, string | number | boolean | null> = {};
  add(fields, name, value, 0);
  return fields;
}

function add(fields: Record<string, FieldMap[string]>, name: string, value: unknown, depth: number): void {
  if (Object.keys(fields).length >= MAX_FIELDS || depth > MAX_DEPTH) return;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) fields[name] = value;
  else if (typeof value === 'string') {
    if (value.length <= MAX_TEXT) fields[name] = value;
    fields[`${name}.length`] = value.length;
  } else if (Array.isArray(value)) {
    fields[`${name}.length`] = value.length;
    for (const [index, item] of value.slice(0, 3).entries())
      add(fields, `${name}[${index}]`, item, depth + 1);
  } else if (isRecord(value)) {
    for (const [key, item] of Object.entries(value)) add(fields, `${name}.${key}`, item, depth + 1);
  }
}
