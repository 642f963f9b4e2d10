import { type RefCallback, useCallback } from 'react';

/**
 * Moves the focus to the heading of a page that opens, so that screen readers read it and Tab continues from it. An element
 * that has the focus already keeps it.
 */
export function useHeadingFocus(): RefCallback<HTMLElement> {
  return useCallback((heading: HTMLElement | null) => {
    if (heading && document.activeElement === document.body) heading.focus({ preventScroll: true });
  }, []);
}
