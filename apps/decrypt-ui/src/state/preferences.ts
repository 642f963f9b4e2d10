import { useSyncExternalStore } from 'react';
import { z } from 'zod';

const preferences = z.object({
  theme: z.enum(['system', 'dark', 'light']).catch('system'),
  zone: z.enum(['utc', 'local']).catch('utc'),
  density: z.enum(['compact', 'default', 'comfortable']).catch('default'),
  /** Width of the inspector in CSS pixels. */
  inspector: z.number().min(320).max(2000).catch(408),
});
export type Preferences = z.infer<typeof preferences>;

/** Also read by `public/theme.js` before the first paint. */
const KEY = 'decrypt-ui.preferences';

const listeners = new Set<() => void>();
let current: Preferences | undefined;

/** How the page looks; nothing of what it shows. Kept in this browser. */
export function getPreferences(): Preferences {
  current ??= preferences.parse(stored() ?? {});
  return current;
}

function stored(): unknown {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof found === 'object' ? found : {};
  } catch {
    // Storage may be forbidden; then every visit starts with the defaults.
    return {};
  }
}

export function setPreferences(change: Partial<Preferences>): void {
  current = { ...getPreferences(), ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // As above: the change lasts for this visit.
  }
  applyPreferences();
}

/** Puts theme and density on the root element, where the tokens read them. */
export function applyPreferences(): void {
  const { theme, density } = getPreferences();
  const dark = theme === 'system' ? systemDark().matches : theme === 'dark';
  document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
  document.documentElement.dataset['density'] = density;
  for (const listener of listeners) listener();
}

const systemDark = () => matchMedia('(prefers-color-scheme: dark)');

/** Follows the system's theme until the returned function is called. */
export function watchSystemTheme(): () => void {
  const media = systemDark();
  media.addEventListener('change', applyPreferences);
  return () => media.removeEventListener('change', applyPreferences);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const usePreferences = () => useSyncExternalStore(subscribe, getPreferences);
/** The theme that is in force, for what is drawn rather than styled. */
export const useTheme = () =>
  useSyncExternalStore(subscribe, () => document.documentElement.dataset['theme'] ?? 'dark');
export const useZone = () => usePreferences().zone;
