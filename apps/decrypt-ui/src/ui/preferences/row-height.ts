import { getPreferences, type Preferences } from './preferences.ts';
import { isNarrowerThan, PHONE_BELOW } from './window-size.ts';

/** Heights of a grid row in CSS pixels, by the density that the user chose. */
export const rowHeights = { compact: 24, default: 28, comfortable: 36 } as const;
/** Height on a phone, where a row's text takes two lines. */
const PHONE_ROW_HEIGHT = 62;

/** Returns the height of a row in CSS pixels. */
export const rowHeight = (phone: boolean, density: Preferences['density']): number =>
  phone ? PHONE_ROW_HEIGHT : rowHeights[density];

/** Returns how many rows fit into the window. A grid is smaller than the window, so it shows fewer rows. */
export const rowsInWindow = (): number =>
  Math.ceil(innerHeight / rowHeight(isNarrowerThan(PHONE_BELOW), getPreferences().density));
