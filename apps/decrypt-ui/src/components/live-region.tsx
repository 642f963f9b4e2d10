import { useSyncExternalStore } from 'react';

const listeners = new Set<() => void>();
let message = '';
let clearing: ReturnType<typeof setTimeout> | undefined;

/** Says something to people who don't see the page. Never plaintext: a screen reader may be overheard or logged. */
export function announce(text: string): void {
  message = text;
  for (const listener of listeners) listener();
  clearTimeout(clearing);
  clearing = setTimeout(() => {
    message = '';
    for (const listener of listeners) listener();
  }, 4000);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function LiveRegion() {
  const text = useSyncExternalStore(subscribe, () => message);
  return (
    <div className="sr-only" role="status" aria-live="polite">
      {text}
    </div>
  );
}
