import { type ListQuery, parseQuery, printQuery } from './filter/visibility-query.ts';
import type { ListSearch } from './list-params.ts';
import { type ColumnId, columnsOf, printColumns } from './table/columns.ts';

/** What the list shows: which runs, and which columns. */
export interface ListView {
  readonly query: ListQuery;
  /** Absent: the reader's usual columns. */
  readonly columns?: readonly ColumnId[];
}

/** Reads a view from the list's address. */
export function viewOf({ q, cols }: ListSearch): ListView {
  const columns = cols === undefined ? undefined : columnsOf(cols);
  return { query: parseQuery(q ?? ''), ...(columns && { columns }) };
}

/** Prints a view as search parameters; `viewOf` reads the same view from them. */
export function searchOf({ query, columns }: ListView): ListSearch {
  const q = printQuery(query);
  return { ...(q && { q }), ...(columns && { cols: printColumns(columns) }) };
}
