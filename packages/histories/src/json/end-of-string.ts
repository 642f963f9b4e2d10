const BACKSLASH = 0x5c;

/**
 * Returns the index of the quotation mark that ends a string of JSON; -1 if none does. Searching for quotation marks skips
 * base64, most of the text, quickly.
 * @param from index after the string's first quotation mark
 */
export function endOfString(text: string, from: number): number {
  for (let quote = text.indexOf('"', from); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escapes = 0;
    while (quote - escapes > from && text.charCodeAt(quote - escapes - 1) === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return quote;
  }
  return -1;
}
