import { type ListQuery, parseQuery, printQuery } from '../filter/visibility-query.ts';
import type { ListSearch } from './list-params.ts';
import { type ColumnId, columnsOf, printColumns } from './table/columns.ts';

/** What the list shows: runs and columns. */
export interface ListView {
  readonly query: ListQuery;
  /** If absent, the list has the user's default columns. */
  readonly columns?: readonly ColumnId[];
}

/** Parses a view from the list's address. */
export function viewOf({ q, cols }: ListSearch): ListView {
  const columns = cols === undefined ? undefined : columnsOf(cols);
  return { query: parseQuery(q ?? ''), ...(columns && { columns }) };
}

/** Returns a view as search parameters, from which `viewOf` returns the same view. */
export function searchOf({ query, columns }: ListView): ListSearch {
  const q = printQuery(query);
  return { ...(q && { q }), ...(columns && { cols: printColumns(columns) }) };
}
