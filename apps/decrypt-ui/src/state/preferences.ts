import { z } from 'zod/mini';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { readStored, writeStored } from './stored.ts';

/** The least width of the inspector in CSS pixels. */
export const MIN_INSPECTOR = 320;

const preferences = z.object({
  theme: z.catch(z.enum(['system', 'dark', 'light']), 'system'),
  zone: z.catch(z.enum(['utc', 'local']), 'utc'),
  density: z.catch(z.enum(['compact', 'default', 'comfortable']), 'default'),
  /** Width of the inspector in CSS pixels. */
  inspector: z.catch(z.number().check(z.minimum(MIN_INSPECTOR), z.maximum(2000)), 408),
});
export type Preferences = z.infer<typeof preferences>;

interface PreferencesState {
  readonly chosen: Preferences;
  /** The theme on the screen: the chosen one, or the system's. */
  readonly shownTheme: 'dark' | 'light';
}

/** The `localStorage` key. `public/theme.js` reads it too, before the first paint. */
const KEY = 'decrypt-ui.preferences';

const store = createStore<PreferencesState>()(() => ({
  chosen: preferences.parse(readStored(KEY)),
  shownTheme: 'dark',
}));

/** The reader's choices about how the page looks. This browser keeps them; they contain no workflow data. */
const getPreferences = (): Preferences => store.getState().chosen;

/** Changes some preferences, for this visit and for later visits. */
export function setPreferences(change: Partial<Preferences>): void {
  const chosen = { ...getPreferences(), ...change };
  store.setState({ chosen });
  writeStored(KEY, chosen);
  applyPreferences();
}

/** Sets theme and density on the root element, where tokens.css reads them. */
export function applyPreferences(): void {
  const { theme, density } = getPreferences();
  const dark = theme === 'system' ? systemDark().matches : theme === 'dark';
  const shownTheme = dark ? 'dark' : 'light';
  document.documentElement.dataset['theme'] = shownTheme;
  document.documentElement.dataset['density'] = density;
  store.setState({ shownTheme });
}

const systemDark = () => matchMedia('(prefers-color-scheme: dark)');

/** Follows changes of the system's theme until the returned function is called. */
export function watchSystemTheme(): () => void {
  const media = systemDark();
  media.addEventListener('change', applyPreferences);
  return () => media.removeEventListener('change', applyPreferences);
}

export const usePreferences = () => useStore(store, ({ chosen }) => chosen);
/** The theme on the screen, for what is drawn on a canvas and not styled. */
export const useTheme = () => useStore(store, ({ shownTheme }) => shownTheme);
export const useZone = () => usePreferences().zone;
