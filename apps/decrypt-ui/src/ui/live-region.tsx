import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';

const store = createStore<{ readonly message: string }>()(() => ({ message: '' }));
let clearing: ReturnType<typeof setTimeout> | undefined;

/**
 * Makes screen readers read out a message. Never announce plaintext: it may be overheard, and screen readers may log
 * what they read.
 */
export function announce(message: string): void {
  store.setState({ message });
  clearTimeout(clearing);
  clearing = setTimeout(() => store.setState({ message: '' }), 4000);
}

/** The element whose changes screen readers read out. The page has one. */
export function LiveRegion() {
  const message = useStore(store, (state) => state.message);
  return (
    <div className="sr-only" role="status" aria-live="polite">
      {message}
    </div>
  );
}
