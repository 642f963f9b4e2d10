import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { announce } from '../../ui/live-region.tsx';
import { namespaceOf, needsJustification, type Reveals, type RevealTarget } from './reveals.ts';

/** A choice of what to reveal. */
export interface RevealChoice {
  readonly target: RevealTarget;
  /** The choice's label: `Input`, `Event 5`. */
  readonly text: string;
  /** The text for the line above the run: `Input of event 5`. */
  readonly name: string;
}

/** What the page asks a person before a reveal. */
export interface Asked {
  /** The first choice is preselected. All choices are in the same namespace. */
  readonly choices: readonly [RevealChoice, ...RevealChoice[]];
  /** What a search decrypts: `the payloads of this run`. */
  readonly what?: string;
  /** Called when the person has revealed a choice. */
  readonly onRevealed?: () => void;
}

interface Dialog {
  readonly asked: Asked | undefined;
  /** The part of the page that had the focus before the dialog opened. */
  readonly from: HTMLElement | null;
}

/** The state of the dialog that asks for a reveal. The page has only one such dialog. */
const store = createStore<Dialog>()(() => ({ asked: undefined, from: null }));

export const useAsked = (): Asked | undefined => useStore(store, ({ asked }) => asked);

export function closeDialog(): void {
  const { from } = store.getState();
  store.setState({ asked: undefined, from: null });
  keepFocus(from);
}

/** Reveals the first choice, or opens the dialog if a justification is required. */
export function askToReveal(reveals: Reveals, asked: Asked): void {
  const [{ target, name }] = asked.choices;
  if (isJustified(reveals, target)) {
    store.setState({ asked, from: partWithFocus() });
    return;
  }
  keepFocus();
  reveals.reveal({ target, name });
  announce(`Revealed: ${name}`);
  asked.onRevealed?.();
}

const partWithFocus = () =>
  document.activeElement?.closest<HTMLElement>('[data-inspector], main') ?? document.getElementById('main');

/**
 * Call this function before the focused button is removed. It then moves the focus to a part of the page, so
 * that keyboard users can continue there.
 */
export function keepFocus(part = partWithFocus()): void {
  setTimeout(() => {
    if (document.activeElement === document.body) part?.focus();
  });
}

/** Returns whether a target contains a payload that needs a justification. */
function isJustified({ store: { getState } }: Reveals, target: RevealTarget): boolean {
  const state = getState();
  if (needsJustification(state, namespaceOf(target))) return true;
  // If the namespace reveals automatically and is not locked, only payloads encrypted in other namespaces need a
  // justification.
  return target.kind === 'payloads' && !state.locked.has(namespaceOf(target));
}
