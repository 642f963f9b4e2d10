/** Attributes of a run that the list can show, by column id. */
const known = {
  status: { title: 'Status', width: 140 },
  id: { title: 'Workflow id', width: 0 },
  type: { title: 'Type', width: 204 },
  why: { title: 'Why', width: 320 },
  queue: { title: 'Task queue', width: 136 },
  started: { title: 'Started', width: 164 },
  closed: { title: 'Closed', width: 164 },
  duration: { title: 'Duration', width: 92, align: 'right' },
  events: { title: 'Events', width: 84, align: 'right' },
  size: { title: 'Size', width: 84, align: 'right' },
  keys: { title: 'Memo keys', width: 220 },
  run: { title: 'Run id', width: 300 },
  parent: { title: 'Parent', width: 200 },
} as const satisfies Readonly<
  Record<string, { readonly title: string; readonly width: number; readonly align?: 'right' }>
>;

export type KnownColumn = keyof typeof known;
/** A known column, or `@` and the name of a search attribute. */
export type ColumnId = KnownColumn | `@${string}`;

/** The columns that the list shows until the user chooses other columns. */
export const usualColumns: readonly ColumnId[] = [
  'status',
  'id',
  'type',
  'queue',
  'started',
  'duration',
  'events',
  'size',
];

export const isKnown = (id: string): id is KnownColumn => id in known;

export const knownColumns: readonly KnownColumn[] = Object.keys(known).filter(isKnown);

const isColumn = (id: string): id is ColumnId => isKnown(id) || /^@./u.test(id);

/**
 * Parses the output of `printColumns`. Returns undefined if the text contains no columns. The workflow id is
 * always a column.
 */
export function columnsOf(text: string): readonly ColumnId[] | undefined {
  const named = text
    .split(',')
    .map((part) => decoded(part))
    .filter(isColumn);
  const ids = [...new Set(named)];
  if (ids.length === 0) return undefined;
  return ids.includes('id') ? ids : ['id', ...ids];
}

export const printColumns = (columns: readonly ColumnId[]) =>
  columns.map((id) => id.replaceAll('%', '%25').replaceAll(',', '%2C')).join(',');

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

export const sameColumns = (left: readonly ColumnId[], right: readonly ColumnId[]) =>
  printColumns(left) === printColumns(right);

interface ColumnLook {
  readonly title: string;
  /** Width in CSS pixels; zero for a column that takes the remaining width. */
  readonly width: number;
  readonly align?: 'right';
}

export const columnLook = (id: ColumnId): ColumnLook =>
  isKnown(id) ? known[id] : { title: id.slice(1), width: 150 };

/** Columns that a narrow window omits first, with the minimum window width that shows them. */
const roomy: Readonly<Partial<Record<ColumnId, number>>> = {
  queue: 1280,
  size: 1280,
  run: 1280,
  parent: 1280,
};

/** Returns the columns for which the window has space. */
export const columnsFor = (columns: readonly ColumnId[], narrow: boolean): readonly ColumnId[] =>
  narrow ? columns.filter((id) => roomy[id] === undefined) : columns;

/** Returns the width that the user chose for a column, in CSS pixels. */
type WidthOf = (id: ColumnId) => number | undefined;

/** The minimum width of a column, in CSS pixels. */
const LEAST = 48;

/** Returns whether the column takes a share of the remaining width. */
const isFlexible = (
  columns: readonly ColumnId[],
  id: ColumnId,
  narrow: boolean,
): id is 'id' | 'type' | 'why' =>
  id === 'id' || id === 'why' || (id === 'type' && (narrow || columns.includes('why')));

/** Returns a flexible column's share of the remaining width. The column "Why" has the longest text. */
function shareOf(columns: readonly ColumnId[], id: ColumnId, narrow: boolean): number {
  if (columns.includes('why')) return id === 'why' ? 2 : id === 'type' ? 0.4 : 1;
  return narrow && id === 'id' ? 1.7 : 1;
}

/**
 * Returns the width to which a small window shrinks a column before the list scrolls, and the column's default
 * width. The default width is `Infinity` for a column that takes the remaining width.
 */
function tracksOf(
  columns: readonly ColumnId[],
  id: ColumnId,
  narrow: boolean,
  widthOf: WidthOf,
): readonly [least: number, usual: number] {
  const chosen = widthOf(id);
  if (chosen !== undefined) return [chosen, chosen];
  const { width } = columnLook(id);
  if (isFlexible(columns, id, narrow)) {
    const least = { id: narrow ? 140 : 160, type: narrow ? 80 : 104, why: width };
    return [least[id], Infinity];
  }
  if (id === 'keys') return [narrow ? 130 : 160, narrow ? 130 : width];
  return [width, width];
}

/** Returns the value of `grid-template-columns`. */
export const templateOf = (columns: readonly ColumnId[], narrow: boolean, widthOf: WidthOf): string =>
  columns
    .map((id) => {
      const [least, usual] = tracksOf(columns, id, narrow, widthOf);
      return `minmax(${least}px, ${usual === Infinity ? `${shareOf(columns, id, narrow)}fr` : `${usual}px`})`;
    })
    .join(' ');

/** Returns the width in CSS pixels below which the columns do not fit, so that the list scrolls sideways. */
export const leastWidth = (columns: readonly ColumnId[], narrow: boolean, widthOf: WidthOf): number =>
  columns.reduce((sum, id) => sum + tracksOf(columns, id, narrow, widthOf)[0], 0);

/** Returns a column's width and limits; undefined for the workflow id, which takes the remaining width. */
export function sizeOf(columns: readonly ColumnId[], id: ColumnId, narrow: boolean, widthOf: WidthOf) {
  if (id === 'id') return undefined;
  return {
    width: widthOf(id) ?? columnLook(id).width,
    min: LEAST,
    max: 800,
    side: columns.indexOf(id) < columns.indexOf('id') ? 'right' : 'left',
    flexible: isFlexible(columns, id, narrow),
  } as const;
}

/** Moves a column by one position. */
export function moved(columns: readonly ColumnId[], id: ColumnId, by: -1 | 1): readonly ColumnId[] {
  const from = columns.indexOf(id);
  const to = from + by;
  if (from < 0 || to < 0 || to >= columns.length) return columns;
  return columns.toSpliced(from, 1).toSpliced(to, 0, id);
}

/**
 * Shows or hides a column. A column that is shown again gets its default position, or the last position if it
 * has no default position.
 */
export function toggled(columns: readonly ColumnId[], id: ColumnId): readonly ColumnId[] {
  if (columns.includes(id)) return id === 'id' ? columns : columns.filter((other) => other !== id);
  const order: readonly ColumnId[] = knownColumns;
  const place = order.indexOf(id);
  if (place < 0) return [...columns, id];
  const next = columns.findIndex((other) => order.indexOf(other) > place);
  return columns.toSpliced(next < 0 ? columns.length : next, 0, id);
}
