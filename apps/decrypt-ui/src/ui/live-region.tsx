import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';

const store = createStore<{ readonly message: string }>()(() => ({ message: '' }));
let clearing: ReturnType<typeof setTimeout> | undefined;

/**
 * Makes screen readers read a message aloud. Never announce plaintext: others may overhear it, and screen readers may
 * log it.
 */
export function announce(message: string): void {
  store.setState({ message });
  clearTimeout(clearing);
  clearing = setTimeout(() => store.setState({ message: '' }), 4000);
}

/** The element that `announce` writes to. The page has exactly one such element. */
export function LiveRegion() {
  const message = useStore(store, (state) => state.message);
  return (
    <div className="sr-only" role="status" aria-live="polite">
      {message}
    </div>
  );
}
