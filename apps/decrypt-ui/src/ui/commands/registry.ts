import { useEffect, useLayoutEffect, useMemo, useRef } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { type CommandId, commandIds, commandOf, commandsFor } from './commands.ts';

/** The actions of commands. A command whose action is undefined is not available. */
export type Actions = Readonly<Partial<Record<CommandId, (() => void) | undefined>>>;

/** The actions of one component. */
interface Layer {
  readonly ids: ReadonlySet<CommandId>;
  readonly run: (id: CommandId) => void;
}

const store = createStore<{ readonly layers: readonly Layer[] }>()(() => ({ layers: [] }));

const layerOf = (id: CommandId) => store.getState().layers.findLast((layer) => layer.ids.has(id));

/** Returns whether a component on the page defines an action for the command. */
const isAvailable = (id: CommandId): boolean => layerOf(id) !== undefined;

/** Runs a command. If several components define an action for it, the component that was mounted last wins. */
export const runCommand = (id: CommandId): void => layerOf(id)?.run(id);

/** Returns the commands that can run now, in the order of the table in `commands.ts`. */
export function useAvailableCommands(): readonly CommandId[] {
  const layers = useStore(store, (state) => state.layers);
  return useMemo(() => commandIds.filter((id) => layers.some((layer) => layer.ids.has(id))), [layers]);
}

/** Defines the actions of commands while the component is mounted. */
export function useCommands(actions: Actions): void {
  const latest = useRef(actions);
  // Defines the actions before the page is painted, because the user may press a key as soon as rows appear.
  useLayoutEffect(() => {
    latest.current = actions;
  });
  const available = commandIds.filter((id) => actions[id] !== undefined).join(' ');
  useLayoutEffect(() => {
    const ids = new Set(commandIds.filter((id) => available.split(' ').includes(id)));
    const layer: Layer = { ids, run: (id) => latest.current[id]?.() };
    store.setState(({ layers }) => ({ layers: [...layers, layer] }));
    return () => store.setState(({ layers }) => ({ layers: layers.filter((other) => other !== layer) }));
  }, [available]);
}

/** Elements into which the user types text. */
const TEXT_FIELDS = 'input, textarea, select, [contenteditable="true"]';
/** Elements that handle the arrow, Home, End and Page keys themselves while they have the focus. */
const WIDGETS = '[role="tablist"], [role="slider"], [role="separator"], [data-inspector]';

const isNavigationKey = (key: string) => /^(Arrow|Page|Home$|End$)/.test(key);

/** Returns whether the browser, a text field, a widget, or an open or loading menu or dialog handles a key event. */
function isForeign(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.altKey) return true;
  if (document.querySelector('[role="menu"], [role="dialog"], [data-dialog-loading]')) return true;
  if (event.ctrlKey || event.metaKey) return false;
  const target = event.target instanceof Element ? event.target : undefined;
  if (target?.closest(TEXT_FIELDS)) return true;
  return isNavigationKey(event.key) && Boolean(target?.closest(WIDGETS));
}

/** Runs commands when their keys are pressed, anywhere on the page. The shell calls this once. */
export function useHotkeys(): void {
  useEffect(() => {
    function onKeyDown(event: KeyboardEvent) {
      if (isForeign(event)) return;
      const id = commandsFor(event).find(
        (candidate) => isAvailable(candidate) && (commandOf(candidate).when?.(event) ?? true),
      );
      if (id === undefined) return;
      event.preventDefault();
      runCommand(id);
    }
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, []);
}
