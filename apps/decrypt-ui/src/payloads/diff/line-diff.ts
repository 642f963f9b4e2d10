import { diffArrays, diffWordsWithSpace } from 'diff';

/** A block of equal or changed lines in a comparison, with the number of lines on each side. */
export interface DiffPart {
  readonly kind: 'same' | 'changed';
  readonly left: number;
  readonly right: number;
}

export interface LineDiff {
  readonly parts: readonly DiffPart[];
  /**
   * False if the texts differ too much to be aligned. Everything between the common start and end then counts
   * as changed.
   */
  readonly aligned: boolean;
}

/** Maximum milliseconds for aligning lines. */
const TIMEOUT = 8000;

/** Aligns the lines of two texts. Aligning can take seconds, so call the function in a worker. */
export function lineDiff(left: readonly string[], right: readonly string[], timeout = TIMEOUT): LineDiff {
  const changes = diffArrays([...left], [...right], { timeout });
  if (!changes) return { parts: commonEnds(left, right), aligned: false };
  const parts: DiffPart[] = [];
  for (const { added, removed, value } of changes) {
    const last = parts.at(-1);
    const own = { left: added ? 0 : value.length, right: removed ? 0 : value.length };
    if (!added && !removed) parts.push({ kind: 'same', ...own });
    else if (last?.kind === 'changed')
      parts[parts.length - 1] = {
        kind: 'changed',
        left: last.left + own.left,
        right: last.right + own.right,
      };
    else parts.push({ kind: 'changed', ...own });
  }
  return { parts, aligned: true };
}

function commonEnds(left: readonly string[], right: readonly string[]): DiffPart[] {
  const shorter = Math.min(left.length, right.length);
  let head = 0;
  while (head < shorter && left[head] === right[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && left.at(-1 - tail) === right.at(-1 - tail)) tail += 1;
  return [
    { kind: 'same' as const, left: head, right: head },
    { kind: 'changed' as const, left: left.length - head - tail, right: right.length - head - tail },
    { kind: 'same' as const, left: tail, right: tail },
  ].filter((part) => part.left + part.right > 0);
}

/** A row of a comparison, with positions in the lines of both sides. */
export type DiffRow =
  | {
      readonly kind: 'same' | 'changed';
      readonly left?: number;
      readonly right?: number;
      /** The only side that the row shows; absent in two columns. */
      readonly only?: 'left' | 'right';
    }
  /** Folded equal lines. `at` identifies the fold. */
  | { readonly kind: 'folded'; readonly at: number; readonly count: number };

/** Number of equal lines shown next to a change. */
const CONTEXT = 3;

/**
 * Lays out a comparison side by side, or in one column with each block's left lines before its right lines. Equal lines
 * far from a change are folded, unless `open` contains their position.
 */
export function diffRows(
  parts: readonly DiffPart[],
  open: ReadonlySet<number>,
  oneColumn = false,
): DiffRow[] {
  const rows: DiffRow[] = [];
  const sides = oneColumn ? (['left', 'right'] as const) : [undefined];
  let [left, right] = [0, 0];
  for (const [index, part] of parts.entries()) {
    if (part.kind === 'same') {
      const head = index === 0 ? 0 : CONTEXT;
      const tail = index === parts.length - 1 ? 0 : CONTEXT;
      const hidden = part.left - head - tail;
      const folds = hidden > 1 && !open.has(left);
      for (let line = 0; line < part.left; line += 1) {
        if (folds && line === head) {
          rows.push({ kind: 'folded', at: left, count: hidden });
          line += hidden - 1;
        } else
          rows.push({
            kind: 'same',
            left: left + line,
            right: right + line,
            ...(oneColumn && { only: 'left' }),
          });
      }
    } else {
      for (const only of sides) {
        const count = only ? part[only] : Math.max(part.left, part.right);
        for (let line = 0; line < count; line += 1) {
          rows.push({
            kind: 'changed',
            ...(line < part.left && { left: left + line }),
            ...(line < part.right && { right: right + line }),
            ...(only && { only }),
          });
        }
      }
    }
    left += part.left;
    right += part.right;
  }
  return rows;
}

/** Returns the number of changed lines. A line that changed on both sides counts once. */
export const changedLines = (parts: readonly DiffPart[]): number =>
  parts.reduce((sum, part) => sum + (part.kind === 'changed' ? Math.max(part.left, part.right) : 0), 0);

/** A piece of a changed line. */
export interface Piece {
  readonly text: string;
  readonly changed: boolean;
}

/** Maximum total length of two lines whose words are compared. */
const MAX_WORDS = 2000;

/**
 * Returns the pieces of two lines, with differing words marked. If the lines are long or have little in
 * common, marks no words.
 */
export function wordDiff(left: string, right: string): { left: Piece[]; right: Piece[] } {
  if (left.length + right.length > MAX_WORDS)
    return { left: [{ text: left, changed: false }], right: [{ text: right, changed: false }] };
  const pieces = { left: [] as Piece[], right: [] as Piece[] };
  for (const { added, removed, value } of diffWordsWithSpace(left, right)) {
    const piece = { text: value, changed: added || removed };
    if (!added) pieces.left.push(piece);
    if (!removed) pieces.right.push(piece);
  }
  return isSimilar(pieces.left) && isSimilar(pieces.right)
    ? pieces
    : { left: [{ text: left, changed: false }], right: [{ text: right, changed: false }] };
}

/** Returns whether two lines are so similar that marked words help the user. */
function isSimilar(pieces: readonly Piece[]): boolean {
  const letters = ({ text }: Piece) => text.replaceAll(/\W/g, '').length;
  const same = pieces.reduce((sum, piece) => sum + (piece.changed ? 0 : letters(piece)), 0);
  return same * 3 >= pieces.reduce((sum, piece) => sum + letters(piece), 0);
}
