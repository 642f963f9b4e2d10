import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { useShortWindow } from './window-size.ts';

/** The minimum share of the page that the sheet covers. */
export const MIN_SHEET = 0.25;
/** The initial share, unless the window is short. */
export const DEFAULT_SHEET = 0.46;
/** If the chosen share is larger than this, the sheet covers the whole page. */
export const FULL_SHEET = 0.85;

/** CSS pixels that the sheet leaves free for the tab bar and one row, unless it covers the whole page. */
const FREE = 184;

/** Returns the sheet's height in CSS pixels. */
export const sheetHeight = (share: number, page: number): number =>
  share === 1 ? page : Math.max(Math.min(share * page, page - FREE), 0);

/** The share of the page's height that the user has chosen for the inspector's sheet. */
const store = createStore<{ readonly share?: number }>()(() => ({}));

/** The share of the page's height that the inspector's sheet covers on narrow screens; 1 for the whole page. */
export function useSheetShare(): number {
  const chosen = useStore(store, ({ share }) => share);
  const short = useShortWindow();
  return chosen ?? (short ? 1 : DEFAULT_SHEET);
}

/** Sets the share of the page's height that the sheet covers. `undefined` restores the initial share. */
export function setSheetShare(share: number | undefined): void {
  if (share === undefined) store.setState({}, true);
  else store.setState({ share: share > FULL_SHEET ? 1 : Math.max(share, MIN_SHEET) });
}
