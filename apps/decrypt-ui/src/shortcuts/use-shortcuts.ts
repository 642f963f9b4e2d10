import { useEffect, useRef } from 'react';
import { commandsFor, isEnabled, type ShortcutId } from './shortcuts.ts';

export type Actions = Readonly<Partial<Record<ShortcutId, () => void>>>;

/** Elements in which a letter is text. */
const TEXT_FIELDS = 'input, textarea, select, [contenteditable="true"]';
/** Elements that use the arrow, Home, End and Page keys themselves while they have the focus. */
const WIDGETS = '[role="tablist"], [role="slider"], [role="separator"], [data-inspector]';

const isNavigationKey = (key: string) => /^(Arrow|Page|Home$|End$)/.test(key);

/** True for a key event that belongs to the browser, to a text field, to a widget, or to an open menu or dialog. */
function isForeign(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  const target = event.target instanceof Element ? event.target : undefined;
  if (target?.closest(TEXT_FIELDS)) return true;
  if (isNavigationKey(event.key) && target?.closest(WIDGETS)) return true;
  return document.querySelector('[role="menu"], [role="dialog"]') !== null;
}

/** Runs the given actions for the keys of their commands, anywhere on the page, while the component is mounted. */
export function useShortcuts(actions: Actions): void {
  const latest = useRef(actions);
  useEffect(() => {
    latest.current = actions;
  });
  useEffect(() => {
    function onKeyDown(event: KeyboardEvent) {
      if (isForeign(event)) return;
      const id = commandsFor(event).find(
        (candidate) => latest.current[candidate] && isEnabled(candidate, event),
      );
      if (id === undefined) return;
      event.preventDefault();
      latest.current[id]?.();
    }
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, []);
}
