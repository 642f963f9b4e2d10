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

/** Provides the reveals with the person's permissions, and ends reveals when the page is hidden or the sign-in expires. */
export function RevealsProvider({ reveals, plaintext, children }: RevealsProviderProps) {
  const access = useMe();
  useLayoutEffect(() => reveals.setAccess(access), [reveals, access]);
  useEffect(() => watchPage(reveals, plaintext), [reveals, plaintext]);
  const value = useMemo(() => ({ reveals, plaintext }), [reveals, plaintext]);
  return <Context value={value}>{children}</Context>;
}

export const useReveals = (): Reveals => useAccess().reveals;

/** Returns the plaintext cache, for components that show other plaintext and must drop it together with the cache. */
export const usePlaintext = (): PlaintextCache => useAccess().plaintext;

/** Reads the state of reveals. `select` must return the same value for the same state. */
export const useRevealed = <T,>(select: (state: RevealsState) => T): T =>
  useStore(useReveals().store, select);

function watchPage(reveals: Reveals, plaintext: PlaintextCache): () => void {
  const stopClearing = plaintext.onClear(() => reveals.end());
  const watch = () => {
    if (document.visibilityState === 'hidden') reveals.hidden();
    else reveals.shown();
  };
  // The browser may keep a page and its memory in the back/forward cache, where timers do not run.
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
