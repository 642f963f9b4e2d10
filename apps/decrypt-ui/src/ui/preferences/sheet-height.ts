import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';

/** The least share of the page that the sheet takes. */
export const MIN_SHEET = 0.25;
/** The share at first. */
export const DEFAULT_SHEET = 0.46;
/** From this share on, the sheet takes the whole page. */
export const FULL_SHEET = 0.85;

/** CSS pixels of the page that the sheet leaves free, unless it takes the whole page: the bar of the tabs and a row. */
const FREE = 184;

/** Returns the height of the sheet in CSS pixels. */
export const sheetHeight = (share: number, page: number): number =>
  share === 1 ? page : Math.max(Math.min(share * page, page - FREE), 0);

/** The share of the page's height that the sheet with the inspector takes on narrow screens; 1 for the whole page. */
const store = createStore<{ readonly share: number }>()(() => ({ share: DEFAULT_SHEET }));

export const useSheetShare = () => useStore(store, ({ share }) => share);

export function setSheetShare(share: number): void {
  store.setState({ share: share > FULL_SHEET ? 1 : Math.max(share, MIN_SHEET) });
}
