import type { CSSProperties } from 'react';
import { useColumnWidths } from '../../ui/preferences/column-widths.ts';

/**
 * The columns that the user can resize, with their limits in CSS pixels. The summary and, until the user
 * resizes it, the waterfall share the remaining width.
 */
const sizes = {
  event: { width: 286, min: 120, max: 800, side: 'right' },
  start: { width: 76, min: 48, max: 240, side: 'left' },
  duration: { width: 72, min: 48, max: 240, side: 'left' },
  waterfall: { width: 400, min: 150, max: 1600, side: 'left' },
  key: { width: 76, min: 40, max: 400, side: 'left' },
} as const;

type SizedColumn = keyof typeof sizes;
type Variables = CSSProperties & Partial<Record<`--w-${SizedColumn}`, string>>;

/** Returns the widths of the history table's columns. `waterfall` is the current width of the waterfall column. */
export function useHistoryColumns(waterfall = 0) {
  const { widthOf, resize } = useColumnWidths('history');
  const variables: Variables = {};
  for (const [id, { min }] of Object.entries(sizes)) {
    const width = widthOf(id);
    // The key column never shrinks, because the waterfall's lines end where it begins.
    if (width !== undefined) {
      Object.assign(variables, {
        [`--w-${id}`]: id === 'key' ? `${width}px` : `minmax(${min}px, ${width}px)`,
      });
    }
  }
  return {
    resize,
    /** The chosen widths, as CSS variables for history-table.module.css. */
    variables,
    sizeOf: (id: SizedColumn) => {
      const chosen = widthOf(id);
      if (id !== 'waterfall') return { ...sizes[id], width: chosen ?? sizes[id].width };
      return { ...sizes.waterfall, width: chosen ?? (waterfall || sizes.waterfall.width), flexible: true };
    },
  };
}
