import { formatCount, plural } from '../../ui/format/number.ts';
import {
  hasMembers,
  inline,
  jsonInline,
  key,
  type Line,
  MAX_DEPTH,
  memberName,
  type Members,
  membersIn,
  punctuation,
  TextBlock,
  type Token,
} from './json-text.ts';
import { textLines } from './text-lines.ts';

/**
 * A line of the JSON tree. `open` and `close` are the lines around the members of an object or array. A
 * `folded` line replaces all of these lines. `rowTokens` returns the line's text.
 */
export interface JsonRow {
  readonly kind: 'flat' | 'open' | 'folded' | 'close';
  readonly depth: number;
  /** The member's name. */
  readonly name?: string | undefined;
  /** The line's value. A `Range` has no closing line. */
  readonly value: unknown;
  /** Whether a comma follows. */
  readonly comma: boolean;
}

/** A range of members of a long object or array, which fold together so that the layout stays small. */
class Range {
  readonly owner: Members;
  readonly from: number;
  readonly to: number;
  /** The names of the first and last member. */
  readonly ends: readonly [string, string];

  constructor(owner: Members, names: readonly string[] | undefined, from: number, to: number) {
    this.owner = owner;
    this.from = from;
    this.to = to;
    this.ends = names
      ? [memberName(names[from] ?? ''), memberName(names[to - 1] ?? '')]
      : [formatCount(from), formatCount(to - 1)];
  }
}

/** A line of a `TextBlock`. */
class TextLine {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Number of members in a range. */
export const RANGE = 1000;

/** The ranges of each long object or array. Each range is created once, so that `JsonFolds` can identify it. */
const ranges = new WeakMap<Members, readonly Range[]>();

function rangesOf(value: Members, names: readonly string[] | undefined, count: number): readonly Range[] {
  const known = ranges.get(value);
  if (known) return known;
  const made = Array.from(
    { length: Math.ceil(count / RANGE) },
    (_, index) => new Range(value, names, index * RANGE, Math.min((index + 1) * RANGE, count)),
  );
  ranges.set(value, made);
  return made;
}

/** Which objects, arrays and ranges are open. */
export interface JsonFolds {
  /** The user's choices for individual objects, arrays and ranges. True means open. */
  readonly chosen: ReadonlyMap<unknown, boolean>;
  /** Objects, arrays and ranges without a choice are open until the layout has this many lines. */
  readonly lines: number;
}

/** After this many lines, a value's remaining objects and arrays are folded until the user opens them. */
export const SHORT = 2000;
/** Maximum number of lines that "Unfold all" opens: a longer layout would block the page. */
export const LONG = 20_000;

/**
 * Maximum number of characters that a line shows: the browser lays out each line as a whole, which is slow for longer
 * lines.
 */
const LONG_LINE = 10_000;

/** Maximum length of a line that contains a whole object or array, in characters. */
const WIDTH = 46;
/** Maximum number of characters that a folded object or array shows of its members. */
const FOLDED = 60;

export const unfolded: JsonFolds = { chosen: new Map(), lines: SHORT };

/**
 * Lays out JSON as a tree of lines. Objects and arrays that fit into 46 characters take one line, and those
 * with more than 1,000 members are divided into ranges. Leaves the lines' text to `rowTokens`, so that a value
 * of 2 MiB is laid out within milliseconds.
 */
export function jsonRows(root: unknown, { chosen, lines }: JsonFolds = unfolded): JsonRow[] {
  const rows: JsonRow[] = [];
  const isOpen = (value: unknown) => chosen.get(value) ?? rows.length < lines;
  function visit(value: unknown, depth: number, name: string | undefined, comma: boolean) {
    if (value instanceof TextBlock) {
      visitText(value, depth, name, comma);
      return;
    }
    // Fast path: most lines of a long value are numbers and strings.
    if (!hasMembers(value)) {
      rows.push({ kind: 'flat', depth, name, value, comma });
      return;
    }
    // The outermost object always takes one line per member, so that a payload reads like a form.
    const names = Array.isArray(value) ? undefined : Object.keys(value);
    const count = names ? names.length : membersIn(value);
    const isLong = count > RANGE;
    const flat = count === 0 || depth >= MAX_DEPTH || (depth > 0 && !isLong && fits(value, depth, name));
    const open = !flat && isOpen(value);
    rows.push({ kind: flat ? 'flat' : open ? 'open' : 'folded', depth, name, value, comma });
    if (!open) return;
    if (isLong) visitRanges(value, names, count, depth + 1);
    else visitMembers(value, names, 0, count, depth + 1);
    rows.push({ kind: 'close', depth, value, comma });
  }
  function visitText(value: TextBlock, depth: number, name: string | undefined, comma: boolean) {
    const open = isOpen(value);
    rows.push({ kind: open ? 'open' : 'folded', depth, name, value, comma });
    if (!open) return;
    for (const line of textLines(value.text))
      rows.push({ kind: 'flat', depth: depth + 1, value: new TextLine(line), comma: false });
    rows.push({ kind: 'close', depth, value, comma });
  }
  function visitRanges(value: Members, names: readonly string[] | undefined, count: number, depth: number) {
    for (const range of rangesOf(value, names, count)) {
      const open = isOpen(range);
      rows.push({ kind: open ? 'open' : 'folded', depth, value: range, comma: false });
      if (open) visitMembers(value, names, range.from, range.to, depth + 1);
    }
  }
  function visitMembers(
    value: Members,
    names: readonly string[] | undefined,
    from: number,
    to: number,
    depth: number,
  ) {
    const last = (names ? names.length : membersIn(value)) - 1;
    for (let index = from; index < to; index += 1) {
      const name = names?.[index];
      const member: unknown = Reflect.get(value, name ?? index);
      visit(member, depth, name === undefined ? undefined : memberName(name), index < last);
    }
  }
  visit(root, 0, undefined, false);
  return rows;
}

function fits(value: unknown, depth: number, name = ''): boolean {
  let room = WIDTH - 2 * depth - name.length;
  for (const { text } of inline(value, room)) {
    room -= text.length;
    // A multi-line text does not fit on one line.
    if (room < 0 || text.includes('\\n')) return false;
  }
  return true;
}

/** Returns the text of a line, with its indentation. */
export function rowTokens({ kind, depth, name, value, comma }: JsonRow): Line {
  const [opening, closing] =
    value instanceof TextBlock ? ['"""', '"""'] : Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  const tokens: Token[] = depth > 0 ? [punctuation('  '.repeat(depth))] : [];
  if (value instanceof Range) return [...tokens, punctuation(value.ends.join(' … '))];
  if (value instanceof TextLine) return [...tokens, { kind: 'value', text: value.text }];
  if (name !== undefined) tokens.push(key(name), punctuation(': '));
  if (kind === 'open') tokens.push(punctuation(opening));
  else if (kind === 'close') tokens.push(punctuation(closing));
  else tokens.push(...jsonInline(value, kind === 'folded' ? FOLDED : LONG_LINE));
  // The Copy and Save commands contain the whole text.
  if (typeof value === 'string' && value.length > LONG_LINE)
    tokens.push(punctuation(` ${plural(value.length - LONG_LINE, 'more character')}`));
  if (comma && kind !== 'open') tokens.push(punctuation(','));
  return tokens;
}

/** Returns the number of members, or of text lines, that a folded line hides. */
export function memberCount({ value }: JsonRow): number {
  if (value instanceof Range) return value.to - value.from;
  if (value instanceof TextBlock) return textLines(value.text).length;
  return hasMembers(value) ? membersIn(value) : 0;
}

/**
 * Returns the position of the closest line before (`step` -1) or after (1) a position, skipping lines that
 * only close an object or array. Returns the position itself if there is no such line.
 */
export function nextRow(rows: readonly JsonRow[], from: number, step: 1 | -1): number {
  let next = from + step;
  while (rows[next]?.kind === 'close') next += step;
  return rows[next] ? next : from;
}

/** Returns the position of a line's parent in the tree. */
export const parentRow = (rows: readonly JsonRow[], index: number): number =>
  rows.findLastIndex(
    (row, position) => position < index && row.kind === 'open' && row.depth < (rows[index]?.depth ?? 0),
  );
