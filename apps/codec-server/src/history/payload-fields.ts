import { utf8Text } from '@temporal-kms/histories/bytes';
import type { PayloadBody } from '@temporal-kms/histories/readable';
import { type FieldMap, flatFields } from '@temporal-kms/histories/why';

/** Returns the fields of a decoded payload; for a payload that is not JSON, only its encoding and its length. */
export function payloadFields(name: string, { data, encoding }: PayloadBody): FieldMap {
  if (encoding === 'binary/null') return { [name]: null };
  const text = encoding.startsWith('json/') ? utf8Text(data) : undefined;
  try {
    if (text !== undefined) return flatFields(name, JSON.parse(text));
  } catch {
    // The body is not JSON, whatever its `encoding` claims. The error is dropped, because its message may
    // contain payload data.
  }
  return { [`${name}.encoding`]: encoding, [`${name}.length`]: data.length };
}
