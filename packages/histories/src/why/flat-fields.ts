import { isRecord } from '@temporal-kms/node-utils/is-record';
import type { FieldMap } from './differs.ts';

/** Maximum number of fields of one value. An input may be a document with thousands of fields. */
const MAX_FIELDS = 200;
/** Maximum length of text that is compared. Of longer text, only the length is compared. */
const MAX_TEXT = 200;
/**
 * Maximum length of a field's name. Fields with longer names are left out, because a key may be as long as
 * its payload.
 */
const MAX_NAME = 200;
const MAX_DEPTH = 6;

/**
 * Returns the fields of a JSON value: `{ order: { items: ['a', 'b'] } }` under `input` has
 * `input.order.items.length` 2 and `input.order.items[0]` 'a'. Only the first three items of a list become
 * fields.
 *
 * @example
 * flatFields('input', { amount: 1200, card: { country: 'DE' } }); // { 'input.amount': 1200, 'input.card.country': 'DE', … }
 */
export function flatFields(name: string, value: unknown): FieldMap {
  // Uses a Map instead of an object, because `__proto__` is a key like any other.
  const fields = new Map<string, FieldMap[string]>();
  for (const [field, item] of fieldsOf(name, value, 0)) {
    if (fields.size >= MAX_FIELDS) break;
    fields.set(field, item);
  }
  return Object.fromEntries(fields);
}

type Field = readonly [name: string, value: FieldMap[string]];

function* fieldsOf(name: string, value: unknown, depth: number): Generator<Field, void> {
  if (depth > MAX_DEPTH || name.length > MAX_NAME) return;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) yield [name, value];
  else if (typeof value === 'string') {
    if (value.length <= MAX_TEXT) yield [name, value];
    yield [`${name}.length`, value.length];
  } else if (Array.isArray(value)) {
    yield [`${name}.length`, value.length];
    for (const [index, item] of value.slice(0, 3).entries())
      yield* fieldsOf(`${name}[${index}]`, item, depth + 1);
  } else if (isRecord(value)) {
    for (const key of Object.keys(value)) yield* fieldsOf(`${name}.${key}`, value[key], depth + 1);
  }
}
