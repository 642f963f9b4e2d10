import { type ReactNode, useEffect, useLayoutEffect, useMemo } from 'react';
import { useStore } from 'zustand';
import { useMe } from '../../session/me.tsx';
import { requiredContext } from '../../ui/required-context.ts';
import type { PlaintextCache } from './plaintext-cache.ts';
import type { Reveals, RevealsState } from './reveals.ts';

interface Access {
  readonly reveals: Reveals;
  readonly plaintext: PlaintextCache;
}

const [Context, useAccess] = requiredContext<Access>('RevealsProvider');

interface RevealsProviderProps extends Access {
  readonly children: ReactNode;
}

/** Provides the reveals, with the permissions of the person, and ends them when the page or the sign-in requires it. */
export function RevealsProvider({ reveals, plaintext, children }: RevealsProviderProps) {
  const access = useMe();
  useLayoutEffect(() => reveals.setAccess(access), [reveals, access]);
  useEffect(() => watchPage(reveals, plaintext), [reveals, plaintext]);
  const value = useMemo(() => ({ reveals, plaintext }), [reveals, plaintext]);
  return <Context value={value}>{children}</Context>;
}

export const useReveals = (): Reveals => useAccess().reveals;

/** The cache of plaintext, for components that show plaintext from elsewhere and drop it together with the cache. */
export const usePlaintext = (): PlaintextCache => useAccess().plaintext;

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
