const BACKSLASH = 0x5c;

/**
 * Returns the index of the quotation mark that ends a JSON string, or -1 if the string does not end.
 * Searching for quotation marks is a quick way past base64, which is most of the text.
 * @param from index after the string's opening quotation mark
 */
export function endOfString(text: string, from: number): number {
  for (let quote = text.indexOf('"', from); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escapes = 0;
    while (quote - escapes > from && text.charCodeAt(quote - escapes - 1) === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return quote;
  }
  return -1;
}
