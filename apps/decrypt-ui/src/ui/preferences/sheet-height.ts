import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';

/** The least share of the page that the sheet takes. */
export const MIN_SHEET = 0.25;
/** The share at first. */
export const DEFAULT_SHEET = 0.46;
/** From this share on, the sheet takes the whole page. */
export const FULL_SHEET = 0.85;

/** The share of the page's height that the sheet with the inspector takes on narrow screens; 1 for the whole page. */
const store = createStore<{ readonly share: number }>()(() => ({ share: DEFAULT_SHEET }));

export const useSheetShare = () => useStore(store, ({ share }) => share);

export function setSheetShare(share: number): void {
  store.setState({ share: share > FULL_SHEET ? 1 : Math.max(share, MIN_SHEET) });
}
