import { useLocation, useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';

declare module '@tanstack/react-router' {
  interface HistoryState {
    /** When the page with the followed link was loaded. */
    requested?: number;
  }
}

/**
 * The history state of a link that also starts an action on the page that it opens. Without this state, the
 * action needs a click. No reload, restored tab or shared address starts the action, because the state
 * contains the page's load time, and addresses do not contain the state.
 */
export const requested = { requested: performance.timeOrigin };

/** Calls `start` once if the user came to this page by a link with the history state `requested`. */
export function useRequested(start: () => void): void {
  const { history } = useRouter();
  const isRequested = useLocation({ select: ({ state }) => state.requested === requested.requested });
  useEffect(() => {
    if (!isRequested) return undefined;
    // Waits for the next task, because React may immediately undo a component's first effects, together with
    // what the effects started.
    const timer = setTimeout(() => {
      const { href, state } = history.location;
      history.replace(href, { ...state, requested: undefined });
      start();
    });
    return () => clearTimeout(timer);
  }, [isRequested, history, start]);
}
