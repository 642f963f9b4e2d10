import { escapeInText } from '@temporal-kms/codec-api';

/** Characters of a line at most. The browser lays out a line as a whole, so a text of 2 MiB on one line would stop the page. */
export const MAX_LINE = 2000;

/** The lines of a text, with invisible characters escaped. A longer line continues on the next lines. */
export function textLines(text: string): string[] {
  return escapeInText(text)
    .split('\n')
    .flatMap((line) => (line.length > MAX_LINE ? pieces(line) : line));
}

function pieces(line: string): string[] {
  const found: string[] = [];
  for (let from = 0; from < line.length;) {
    // A surrogate pair stays together.
    const to = from + MAX_LINE - (isHighSurrogate(line.charCodeAt(from + MAX_LINE - 1)) ? 1 : 0);
    found.push(line.slice(from, to));
    from = to;
  }
  return found;
}

const isHighSurrogate = (code: number) => code >= 0xd800 && code <= 0xdbff;
