import { useSyncExternalStore } from 'react';

/** Below this width, in CSS pixels, the inspector is a sheet over the lower part of the page. */
export const SHEET_BELOW = 1100;
/** Below this width, in CSS pixels, a grid row takes two lines of text. */
export const PHONE_BELOW = 720;

const narrowerThan = (pixels: number) => `(max-width: ${pixels - 0.02}px)`;
export const useNarrowerThan = (pixels: number): boolean => useMedia(narrowerThan(pixels));
export const isNarrowerThan = (pixels: number): boolean => matchMedia(narrowerThan(pixels)).matches;

/** Whether the window has too little height for rows and an open sheet. The style sheets use the same limit. */
export const useShortWindow = (): boolean => useMedia('(max-height: 559.98px)');

/** Returns whether the browser is rendering the page for print. */
export const usePrinting = (): boolean => useMedia('print');

function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = matchMedia(query);
      media.addEventListener('change', listener);
      return () => media.removeEventListener('change', listener);
    },
    () => matchMedia(query).matches,
  );
}
