import { getPreferences, setPreferences, usePreferences } from './preferences.ts';

/** The widths in CSS pixels that the reader chose for the columns of a table. Columns with the usual width are absent. */
export function useColumnWidths(table: 'list' | 'history') {
  const { widths } = usePreferences();
  return {
    widthOf: (id: string): number | undefined => widths[`${table}.${id}`],
    /** Changes widths by column id; undefined stands for the usual width. */
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
