import { createContext, type ReactNode, useContext, useEffect, useLayoutEffect } from 'react';
import { useStore } from 'zustand';
import { useMe } from '../session/me.tsx';
import type { PlaintextCache } from './plaintext-cache.ts';
import type { Reveals, RevealsState } from './reveals.ts';

const Context = createContext<Reveals | undefined>(undefined);

interface RevealsProviderProps {
  readonly reveals: Reveals;
  readonly plaintext: PlaintextCache;
  readonly children: ReactNode;
}

/** Provides the reveals, with the permissions of the person, and ends them when the page or the sign-in requires it. */
export function RevealsProvider({ reveals, plaintext, children }: RevealsProviderProps) {
  const access = useMe();
  useLayoutEffect(() => reveals.setAccess(access), [reveals, access]);
  useEffect(() => watchPage(reveals, plaintext), [reveals, plaintext]);
  return <Context value={reveals}>{children}</Context>;
}

export function useReveals(): Reveals {
  const reveals = useContext(Context);
  if (!reveals) throw new Error('useReveals() was called outside of <RevealsProvider>.');
  return reveals;
}

/** Reads the reveals; `select` must return the same value for the same state. */
export const useRevealed = <T,>(select: (state: RevealsState) => T): T =>
  useStore(useReveals().store, select);

function watchPage(reveals: Reveals, plaintext: PlaintextCache): () => void {
  const stopClearing = plaintext.onClear(() => reveals.end());
  const watch = () => {
    if (document.visibilityState === 'hidden') reveals.hidden();
    else reveals.shown();
  };
  // The browser may keep a page that it has put away, with its memory. Its timers do not run there.
  const putAway = () => plaintext.clear();
  watch();
  document.addEventListener('visibilitychange', watch);
  document.addEventListener('freeze', putAway);
  window.addEventListener('pagehide', putAway);
  return () => {
    stopClearing();
    reveals.stop();
    document.removeEventListener('visibilitychange', watch);
    document.removeEventListener('freeze', putAway);
    window.removeEventListener('pagehide', putAway);
  };
}
