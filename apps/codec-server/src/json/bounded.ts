import { badRequest, HttpError } from '../errors.ts';

/** How deep a body may nest. The codec protocol needs 4, the history API 3. */
const MAX_DEPTH = 32;

/** How many values a body may hold. */
export interface ValueLimit {
  readonly base: number;
  /** So many more for each object on the third level, where the codec protocol has its payloads. */
  readonly each?: number;
}

/**
 * `JSON.parse` for what comes from outside: a few bytes a level, or a value, cost it many times their size in memory
 * (16 MiB of `{},` take 1 GiB), so depth and values are counted first.
 *
 * @param admit called with the number of values before they are made; may throw
 * @throws HttpError 400 for what isn't JSON or nests too deep; 413 for too many values
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

function countValues(text: string, { base, each = 0 }: ValueLimit): number {
  let depth = 0;
  let values = 1;
  let maxValues = base;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at + 1);
        // Without its end it isn't JSON, which the parser says better.
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
        if (depth > MAX_DEPTH) throw badRequest(`The body nests deeper than ${MAX_DEPTH} levels.`);
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
    `The body holds more than ${maxValues} values of JSON; send less a request.`,
  );

/** Where the quote is that ends the string; most of a body is base64, which is jumped over. */
function endOfString(text: string, from: number): number {
  for (let quote = text.indexOf('"', from); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escapes = 0;
    while (quote - escapes > from && text.charCodeAt(quote - escapes - 1) === 0x5c) escapes += 1;
    if (escapes % 2 === 0) return quote;
  }
  return -1;
}
