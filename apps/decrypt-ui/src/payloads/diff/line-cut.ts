/** Characters of a line that a comparison shows at first. Of two such lines, `wordDiff` compares the words. */
export const CUT = 900;
/**
 * Characters that each request for more adds. The browser lays out a line as a whole, so a line of 2 MiB would stop
 * the page.
 */
export const MORE = 20_000;
/** Characters that both lines have in common before the first difference that is shown. */
const CONTEXT = 100;

/** A part of a line: positions of its first character, and of the character after its last. */
export interface Cut {
  readonly from: number;
  readonly to: number;
}

/**
 * The part of two compared lines that is shown. At first it begins shortly before the first difference, because the
 * beginning of two long lines may be equal.
 *
 * @param more how often the reader has requested more
 */
export function cutOf(left: string, right: string, more: number): Cut {
  const longest = Math.max(left.length, right.length);
  if (longest <= CUT) return { from: 0, to: longest };
  if (more > 0) return { from: 0, to: Math.min(CUT + more * MORE, longest) };
  const from = Math.min(Math.max(firstDifference(left, right) - CONTEXT, 0), longest - CUT);
  return { from, to: from + CUT };
}

/** The position of the first character that differs; 0 if none does. */
function firstDifference(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  let at = 0;
  while (at < shorter && left[at] === right[at]) at += 1;
  return left.length === right.length && at === shorter ? 0 : at;
}

/** The text of part of a line, with an ellipsis where the line continues. Surrogate pairs stay together. */
export function cutText(line: string, { from, to }: Cut): string {
  const start = isLowSurrogate(line, from) ? from + 1 : from;
  const end = isLowSurrogate(line, to) ? to + 1 : to;
  return `${start > 0 ? '…' : ''}${line.slice(start, end)}${end < line.length ? '…' : ''}`;
}

function isLowSurrogate(line: string, at: number): boolean {
  const code = line.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff;
}
