import { startTransition, useEffect, useState } from 'react';
import type { StoreApi } from 'zustand/vanilla';

/**
 * Returns the state of a store whose changes are too large to render in one task, such as a long history. React renders
 * each change in steps and handles input between them; `useStore` would render the whole change in one task.
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
    // The state may have changed since the last render.
    show();
    return store.subscribe(show);
  }, [store]);
  return shown.store === store ? shown.state : store.getState();
}
