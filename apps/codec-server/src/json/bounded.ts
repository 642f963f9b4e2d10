import { endOfString } from '@temporal-kms/histories/end-of-string';
import { badRequest, HttpError } from '../errors.ts';

/** Maximum nesting of a body. The codec protocol needs 5 levels, and the history API 3. */
const MAX_DEPTH = 32;

/** The maximum number of values in a body. */
export interface ValueLimit {
  readonly base: number;
  /**
   * The number that is added to the limit for each object on the third level, where the codec protocol has
   * payloads.
   */
  readonly each?: number;
}

/**
 * Parses untrusted JSON. Counts nesting levels and values first, because `JSON.parse` may need many times more
 * memory than the text (1 GiB for 16 MiB of `{},`).
 *
 * @param admit called with the number of values, before `JSON.parse` allocates them; may throw
 * @throws HttpError 400 for invalid JSON or too many levels; 413 for too many values
 */
export function parseJson(text: string, limit: ValueLimit, admit?: (values: number) => void): unknown {
  const values = countValues(text, limit);
  admit?.(values);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest('The body is not JSON.', error);
  }
}

/**
 * Only counts values, because `JSON.parse` checks the text. `JsonScanner` would check the text a second time,
 * character by character.
 */
function countValues(text: string, { base, each = 0 }: ValueLimit): number {
  let depth = 0;
  let values = 1;
  let maxValues = base;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at + 1);
        // The parser reports the unterminated string.
        if (at < 0) return values;
        break;
      case 0x2c: // ,
        values += 1;
        if (values > maxValues) throw tooMany(maxValues);
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth += 1;
        values += 1;
        if (depth === ITEM_DEPTH) maxValues += each;
        if (depth > MAX_DEPTH) throw badRequest(`The body is nested deeper than ${MAX_DEPTH} levels.`);
        if (values > maxValues) throw tooMany(maxValues);
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth -= 1;
        break;
      default:
    }
  }
  return values;
}

const ITEM_DEPTH = 3;

const tooMany = (maxValues: number): HttpError =>
  new HttpError(
    413,
    'too_large',
    `The body contains more than ${maxValues} JSON values; send fewer per request.`,
  );
