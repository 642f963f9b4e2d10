import { useSyncExternalStore } from 'react';

/** Below this width, in CSS pixels, the inspector is a sheet over the lower part of the page. */
export const SHEET_BELOW = 1100;
/** Below this width, in CSS pixels, a grid row takes two lines of text. */
export const PHONE_BELOW = 720;

export function useNarrowerThan(pixels: number): boolean {
  const query = `(max-width: ${pixels - 0.02}px)`;
  return useSyncExternalStore(
    (listener) => {
      const media = matchMedia(query);
      media.addEventListener('change', listener);
      return () => media.removeEventListener('change', listener);
    },
    () => matchMedia(query).matches,
  );
}
