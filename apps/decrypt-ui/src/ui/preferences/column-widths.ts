import { getPreferences, setPreferences, usePreferences } from './preferences.ts';

/** Returns the column widths that the user chose for a table, in CSS pixels. Columns with the default width are absent. */
export function useColumnWidths(table: 'list' | 'history') {
  const { widths } = usePreferences();
  return {
    widthOf: (id: string): number | undefined => widths[`${table}.${id}`],
    /** Changes widths by column id; undefined resets a width to its default. */
    resize: (change: Readonly<Record<string, number | undefined>>): void => {
      const next = { ...getPreferences().widths };
      for (const [id, width] of Object.entries(change)) {
        if (width === undefined) delete next[`${table}.${id}`];
        else next[`${table}.${id}`] = width;
      }
      setPreferences({ widths: next });
    },
  };
}
