import { startTransition, useEffect, useState } from 'react';
import type { StoreApi } from 'zustand/vanilla';

/**
 * The state of a store that changes more than a task may render at once, such as a long history. React renders each change
 * in steps, between which the page answers the reader: `useStore` would render it in one task.
 */
export function useStoreInSteps<T>(store: Pick<StoreApi<T>, 'getState' | 'subscribe'>): T {
  const [shown, setShown] = useState(() => ({ store, state: store.getState() }));
  useEffect(() => {
    const show = () => {
      const state = store.getState();
      startTransition(() =>
        setShown((before) => (before.store === store && before.state === state ? before : { store, state })),
      );
    };
    // It may have changed since it was rendered.
    show();
    return store.subscribe(show);
  }, [store]);
  return shown.store === store ? shown.state : store.getState();
}
