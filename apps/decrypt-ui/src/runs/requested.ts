import { useLocation, useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';

declare module '@tanstack/react-router' {
  interface HistoryState {
    /** When the page was loaded whose link was followed. */
    requested?: number;
  }
}

/**
 * The history state of a link that also starts what its target offers on a click. Addresses don't contain it, and it
 * includes the time at which the page was loaded, so that no reload, restored tab or shared address starts anything.
 */
export const requested = { requested: performance.timeOrigin };

/** Calls `start` once after the reader has followed a link with the state `requested` to this page. */
export function useRequested(start: () => void): void {
  const { history } = useRouter();
  const isRequested = useLocation({ select: ({ state }) => state.requested === requested.requested });
  useEffect(() => {
    if (!isRequested) return undefined;
    // The first effects of a component can be undone at once, and whatever they started with them.
    const timer = setTimeout(() => {
      const { href, state } = history.location;
      history.replace(href, { ...state, requested: undefined });
      start();
    });
    return () => clearTimeout(timer);
  }, [isRequested, history, start]);
}
