import { useMemo } from 'react';
import { z } from 'zod/mini';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { isZone, type TimeFormat } from '../format/time.ts';
import { readStored, writeStored } from './local-storage.ts';

/** The inspector's minimum width in CSS pixels. */
export const MIN_INSPECTOR = 320;

const preferences = z.object({
  theme: z.catch(z.enum(['system', 'dark', 'light']), 'system'),
  /** `utc`, `local` for the browser's time zone, or the IANA name of a time zone. */
  zone: z.catch(z.string().check(z.maxLength(100), z.refine(isZone)), 'utc'),
  clock: z.catch(z.enum(['24', '12']), '24'),
  /** Whether lists show when something happened or how long ago it was. */
  times: z.catch(z.enum(['absolute', 'relative']), 'absolute'),
  /** Whether keys that type a character run commands. People who dictate need to switch such keys off (WCAG 2.1.4). */
  characterKeys: z.catch(z.boolean(), true),
  /** Whether long lines of payloads wrap. */
  wrap: z.catch(z.boolean(), true),
  density: z.catch(z.enum(['compact', 'default', 'comfortable']), 'default'),
  /** Column widths in CSS pixels, by table and column. `useColumnWidths` reads and writes these widths. */
  widths: z.catch(z.record(z.string(), z.number().check(z.minimum(20), z.maximum(4000))), {}),
  /** The inspector's width in CSS pixels. */
  inspector: z.catch(z.number().check(z.minimum(MIN_INSPECTOR), z.maximum(2000)), 408),
});
export type Preferences = z.infer<typeof preferences>;

interface PreferencesState {
  readonly chosen: Preferences;
  /** The theme in use: the chosen theme or the system's theme. */
  readonly shownTheme: 'dark' | 'light';
}

/** The `localStorage` key. `public/early.js` also reads this `localStorage` key, before the first paint. */
const KEY = 'decrypt-ui.preferences';

const store = createStore<PreferencesState>()(() => ({
  chosen: preferences.parse(readStored(KEY)),
  shownTheme: 'dark',
}));

/**
 * Returns the user's choices about how the page looks. The browser stores these choices; they contain no workflow
 * data.
 */
export const getPreferences = (): Preferences => store.getState().chosen;

/** Changes preferences for this visit and later visits. */
export function setPreferences(change: Partial<Preferences>): void {
  const chosen = { ...getPreferences(), ...change };
  store.setState({ chosen });
  writeStored(KEY, chosen);
  applyPreferences();
}

/** Sets theme and density on the root element, where tokens.css reads them. */
export function applyPreferences(): void {
  const { theme, density } = getPreferences();
  // Printed pages use the light theme, because paper is white.
  const dark = !printing().matches && (theme === 'system' ? systemDark().matches : theme === 'dark');
  const shownTheme = dark ? 'dark' : 'light';
  document.documentElement.dataset['theme'] = shownTheme;
  document.documentElement.dataset['density'] = density;
  store.setState({ shownTheme });
}

const systemDark = () => matchMedia('(prefers-color-scheme: dark)');
const printing = () => matchMedia('print');

/** Follows changes of the system's theme, and uses the light theme for printing, until the returned function is called. */
export function watchSystemTheme(): () => void {
  const media = [systemDark(), printing()];
  for (const each of media) each.addEventListener('change', applyPreferences);
  return () => {
    for (const each of media) each.removeEventListener('change', applyPreferences);
  };
}

export const usePreferences = () => useStore(store, ({ chosen }) => chosen);
/** Returns the theme in use, for drawing on a canvas, where CSS does not apply. */
export const useTheme = () => useStore(store, ({ shownTheme }) => shownTheme);

/** Returns how to format moments. Returns the same object until the user changes a preference. */
export function useTimeFormat(): TimeFormat {
  const zone = useStore(store, ({ chosen }) => chosen.zone);
  const clock = useStore(store, ({ chosen }) => chosen.clock);
  return useMemo(() => ({ zone, clock }), [zone, clock]);
}
