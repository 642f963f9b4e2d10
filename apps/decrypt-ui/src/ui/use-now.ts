import { useEffect, useState } from 'react';

type Listener = (now: number) => void;
type Clock = (listener: Listener) => () => void;

/** The clocks by milliseconds between updates. Components share them, so that all components show the same time. */
const clocks = new Map<number, Clock>();

/** Creates a function that calls a listener now and on every tick, until the returned function is called. */
function createClock(every: number): Clock {
  const listeners = new Set<Listener>();
  let timer: ReturnType<typeof setInterval> | undefined;
  const tick = () => {
    if (document.visibilityState !== 'visible') return;
    const now = Date.now();
    for (const listener of listeners) listener(now);
  };
  return (listener) => {
    if (listeners.size === 0) {
      timer = setInterval(tick, every);
      document.addEventListener('visibilitychange', tick);
    }
    listeners.add(listener);
    listener(Date.now());
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      clearInterval(timer);
      document.removeEventListener('visibilitychange', tick);
    };
  };
}

/**
 * Returns the current time in milliseconds. Updates every `every` milliseconds while `running` is true and the tab is
 * visible.
 */
export function useNow(running: boolean, every = 1000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return undefined;
    const clock = clocks.get(every) ?? createClock(every);
    clocks.set(every, clock);
    return clock(setNow);
  }, [running, every]);
  return now;
}
