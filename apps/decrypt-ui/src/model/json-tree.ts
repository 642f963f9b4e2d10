import { plural } from './format/number.ts';
import {
  hasMembers,
  inline,
  jsonInline,
  key,
  type Line,
  MAX_DEPTH,
  memberName,
  membersIn,
  punctuation,
  type Token,
} from './json-text.ts';

/**
 * A line of laid-out JSON. `open` and `close` are the lines around the members of an object or array; `folded` stands for
 * all of them. `rowTokens` makes its text.
 */
export interface JsonRow {
  readonly kind: 'flat' | 'open' | 'folded' | 'close';
  readonly depth: number;
  /** The name of the member. */
  readonly name?: string | undefined;
  readonly value: unknown;
  /** A comma follows. */
  readonly comma: boolean;
}

/** Which objects and arrays are open. */
export interface JsonFolds {
  /** What the reader has chosen for single objects and arrays: true is open. */
  readonly chosen: ReadonlyMap<unknown, boolean>;
  /** Others are open while the layout has fewer lines than this. */
  readonly lines: number;
}

/** Lines after which a long value is folded until the reader opens it. */
export const SHORT = 2000;
/** The lines that "Unfold all" opens at most: a longer layout would make the page wait. */
export const LONG = 20_000;

/** The characters of a text that a line shows: the browser lays out a longer line as a whole, which takes long. */
const LONG_LINE = 10_000;

/** Characters of a line that contains a whole object or array. */
const WIDTH = 46;
/** Characters that a folded object or array shows of its members. */
const FOLDED = 60;

export const unfolded: JsonFolds = { chosen: new Map(), lines: SHORT };

/**
 * Lays out JSON as a tree of lines. Objects and arrays that fit into 46 characters take one line. It makes no text, so that a
 * value of 2 MiB is laid out in some milliseconds.
 */
export function jsonRows(root: unknown, { chosen, lines }: JsonFolds = unfolded): JsonRow[] {
  const rows: JsonRow[] = [];
  function visit(value: unknown, depth: number, name: string | undefined, comma: boolean) {
    // Most lines of a long value are numbers and texts, so they take the shortest way.
    if (!hasMembers(value)) {
      rows.push({ kind: 'flat', depth, name, value, comma });
      return;
    }
    // The outermost object always takes one line per member, so that a payload reads like a form.
    const count = membersIn(value);
    const flat = count === 0 || depth >= MAX_DEPTH || (depth > 0 && fits(value, depth, name));
    const open = !flat && (chosen.get(value) ?? rows.length < lines);
    rows.push({ kind: flat ? 'flat' : open ? 'open' : 'folded', depth, name, value, comma });
    if (!open) return;
    if (Array.isArray(value))
      for (let index = 0; index < count; index += 1)
        visit(value[index], depth + 1, undefined, index < count - 1);
    else
      for (const [index, [inner, member]] of Object.entries(value).entries())
        visit(member, depth + 1, memberName(inner), index < count - 1);
    rows.push({ kind: 'close', depth, value, comma });
  }
  visit(root, 0, undefined, false);
  return rows;
}

function fits(value: unknown, depth: number, name = ''): boolean {
  let room = WIDTH - 2 * depth - name.length;
  for (const { text } of inline(value, room)) {
    room -= text.length;
    if (room < 0) return false;
  }
  return true;
}

/** The text of a line, with its indentation. */
export function rowTokens({ kind, depth, name, value, comma }: JsonRow): Line {
  const [opening, closing] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  const tokens: Token[] = depth > 0 ? [punctuation('  '.repeat(depth))] : [];
  if (name !== undefined) tokens.push(key(name), punctuation(': '));
  if (kind === 'open') tokens.push(punctuation(opening));
  else if (kind === 'close') tokens.push(punctuation(closing));
  else tokens.push(...jsonInline(value, kind === 'folded' ? FOLDED : LONG_LINE));
  // Copy and Save have the whole text.
  if (typeof value === 'string' && value.length > LONG_LINE)
    tokens.push(punctuation(` ${plural(value.length - LONG_LINE, 'more character')}`));
  if (comma && kind !== 'open') tokens.push(punctuation(','));
  return tokens;
}

/** The number of members of a folded line. */
export const memberCount = ({ value }: JsonRow): number =>
  Array.isArray(value) ? value.length : Object.keys(Object(value)).length;

/**
 * The position of the next line before (`step` -1) or after (1) a position, without the lines that only close an object or
 * array. Returns the position itself if there is none.
 */
export function nextRow(rows: readonly JsonRow[], from: number, step: 1 | -1): number {
  let next = from + step;
  while (rows[next]?.kind === 'close') next += step;
  return rows[next] ? next : from;
}

/** The position of the line that contains a line: its parent in the tree. */
export const parentRow = (rows: readonly JsonRow[], index: number): number =>
  rows.findLastIndex(
    (row, position) => position < index && row.kind === 'open' && row.depth < (rows[index]?.depth ?? 0),
  );
