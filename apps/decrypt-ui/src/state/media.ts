import { useSyncExternalStore } from 'react';

/** Below this the inspector is a sheet. */
export const SHEET_BELOW = 1100;
/** Below this rows have two lines. */
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
