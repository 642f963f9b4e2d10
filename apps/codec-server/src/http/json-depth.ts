/** How deep a body may nest. The codec protocol needs 4, the history API 3. */
const MAX_DEPTH = 32;

/** The text nests deeper than any body of ours does. */
export class DeepJsonError extends Error {}

/**
 * `JSON.parse` for what comes from outside: a few bytes of brackets a level cost it many times their size in memory, so
 * their depth is counted first.
 *
 * @throws DeepJsonError; SyntaxError as `JSON.parse` does
 */
export function parseJson(text: string): unknown {
  if (!isShallow(text)) throw new DeepJsonError(`the body nests deeper than ${MAX_DEPTH} levels`);
  return JSON.parse(text);
}

function isShallow(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at + 1);
        // Without its end it isn't JSON, which the parser says better.
        if (at < 0) return true;
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth += 1;
        if (depth > MAX_DEPTH) return false;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth -= 1;
        break;
      default:
    }
  }
  return true;
}

/** Where the quote is that ends the string; most of a body is base64, which is jumped over. */
function endOfString(text: string, from: number): number {
  for (let quote = text.indexOf('"', from); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escapes = 0;
    while (quote - escapes > from && text.charCodeAt(quote - escapes - 1) === 0x5c) escapes += 1;
    if (escapes % 2 === 0) return quote;
  }
  return -1;
}
