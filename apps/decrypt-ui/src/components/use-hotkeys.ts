import { useEffect, useRef } from 'react';

export type Hotkeys = Readonly<Record<string, (event: KeyboardEvent) => void>>;

/** Where letters are text, or where another part has the keyboard. */
const typing = 'input, textarea, select, [contenteditable="true"]';

/**
 * Single keys for the whole page, by `KeyboardEvent.key`. They rest while something is typed, a menu or a dialog is
 * open, or a modifier other than Shift is held.
 */
export function useHotkeys(keys: Hotkeys): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    function onKeyDown(event: KeyboardEvent) {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target instanceof Element && event.target.closest(typing)) return;
      if (document.querySelector('[role="menu"], [role="dialog"]')) return;
      const handle = latest.current[event.key] ?? latest.current[event.key.toLowerCase()];
      if (!handle) return;
      event.preventDefault();
      handle(event);
    }
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, []);
}
