import { z } from 'zod/mini';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { readStored, writeStored } from '../../ui/preferences/local-storage.ts';
import { type ColumnId, columnsOf, printColumns, usualColumns } from './table/columns.ts';

const savedView = z.object({
  name: z.string().check(z.minLength(1), z.maxLength(60)),
  q: z.string().check(z.maxLength(5_000)),
  cols: z.optional(z.string().check(z.maxLength(1_000))),
});
/** A view that the user saved: a name and the search parameters of the list's address. */
export type SavedView = z.infer<typeof savedView>;

const settings = z.object({
  /** The user's default columns, as `printColumns` formats them. */
  cols: z.catch(z.optional(z.string().check(z.maxLength(1_000))), undefined),
  /** Saved views by namespace. */
  views: z.catch(z.record(z.string(), z.array(savedView)), {}),
});
type Settings = z.infer<typeof settings>;

/** The `localStorage` key. Queries contain ids and search attributes, which Temporal stores in plaintext, but no payloads. */
const KEY = 'decrypt-ui.list';

const MAX_VIEWS = 30;

const store = createStore<Settings>()(() => settings.parse(readStored(KEY)));

function change(next: Settings): void {
  store.setState(next, true);
  writeStored(KEY, next);
}

/** Returns the user's default columns. */
export function useUsualColumns(): readonly ColumnId[] {
  const cols = useStore(store, (state) => state.cols);
  return (cols === undefined ? undefined : columnsOf(cols)) ?? usualColumns;
}

export function setUsualColumns(columns: readonly ColumnId[]): void {
  const { views } = store.getState();
  const cols = printColumns(columns);
  change(cols === printColumns(usualColumns) ? { views } : { views, cols });
}

const none: readonly SavedView[] = [];

export const useSavedViews = (namespace: string): readonly SavedView[] =>
  useStore(store, (state) => state.views[namespace] ?? none);

/** Saves a view, replacing a view with the same name. */
export function saveView(namespace: string, view: SavedView): void {
  const { views, ...rest } = store.getState();
  const others = (views[namespace] ?? []).filter(({ name }) => name !== view.name);
  change({ ...rest, views: { ...views, [namespace]: [...others, view].slice(-MAX_VIEWS) } });
}

export function deleteView(namespace: string, name: string): void {
  const { views, ...rest } = store.getState();
  const left = (views[namespace] ?? []).filter((view) => view.name !== name);
  change({ ...rest, views: { ...views, [namespace]: left } });
}
