import { escapeInText } from '@temporal-kms/codec-api';

/**
 * Maximum length of a line in characters. The browser lays out each line as a whole, so 2 MiB of text on one
 * line would block the page.
 */
export const MAX_LINE = 2000;

/**
 * Splits text into lines, with invisible characters escaped. A line longer than `MAX_LINE` continues on the
 * next lines.
 */
export function textLines(text: string): string[] {
  return escapeInText(text)
    .split('\n')
    .flatMap((line) => (line.length > MAX_LINE ? pieces(line) : line));
}

function pieces(line: string): string[] {
  const found: string[] = [];
  for (let from = 0; from < line.length;) {
    // Never splits a surrogate pair.
    const to = from + MAX_LINE - (isHighSurrogate(line.charCodeAt(from + MAX_LINE - 1)) ? 1 : 0);
    found.push(line.slice(from, to));
    from = to;
  }
  return found;
}

const isHighSurrogate = (code: number) => code >= 0xd800 && code <= 0xdbff;
