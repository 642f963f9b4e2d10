import { z } from 'zod';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { readStored, writeStored } from './stored.ts';

const preferences = z.object({
  theme: z.enum(['system', 'dark', 'light']).catch('system'),
  zone: z.enum(['utc', 'local']).catch('utc'),
  density: z.enum(['compact', 'default', 'comfortable']).catch('default'),
  /** Width of the inspector in CSS pixels. */
  inspector: z.number().min(320).max(2000).catch(408),
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
export const getPreferences = (): Preferences => store.getState().chosen;

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
