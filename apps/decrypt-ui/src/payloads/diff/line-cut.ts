/**
 * Number of characters of a line that a comparison shows at first. `wordDiff` still compares the words of two
 * lines of this length.
 */
export const CUT = 900;
/**
 * Number of characters added each time the user requests more. The browser lays out each line as a whole, so a line
 * of 2 MiB would block the page.
 */
export const MORE = 20_000;
/** Number of equal characters shown before the first difference. */
const CONTEXT = 100;

/** A part of a line. `to` is the position after the last character. */
export interface Cut {
  readonly from: number;
  readonly to: number;
}

/**
 * Returns which part of two compared lines to show. At first, the part begins shortly before the first
 * difference, because two long lines may begin with the same text.
 *
 * @param more number of times the user has requested more
 */
export function cutOf(left: string, right: string, more: number): Cut {
  const longest = Math.max(left.length, right.length);
  if (longest <= CUT) return { from: 0, to: longest };
  if (more > 0) return { from: 0, to: Math.min(CUT + more * MORE, longest) };
  const from = Math.min(Math.max(firstDifference(left, right) - CONTEXT, 0), longest - CUT);
  return { from, to: from + CUT };
}

/** Returns the position of the first differing character, or 0 if the lines are equal. */
function firstDifference(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  let at = 0;
  while (at < shorter && left[at] === right[at]) at += 1;
  return left.length === right.length && at === shorter ? 0 : at;
}

/** Returns the text of a part of a line, with an ellipsis where the line continues. Never splits surrogate pairs. */
export function cutText(line: string, { from, to }: Cut): string {
  const start = isLowSurrogate(line, from) ? from + 1 : from;
  const end = isLowSurrogate(line, to) ? to + 1 : to;
  return `${start > 0 ? '…' : ''}${line.slice(start, end)}${end < line.length ? '…' : ''}`;
}

function isLowSurrogate(line: string, at: number): boolean {
  const code = line.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff;
}
