import { useEffect, useState } from 'react';

type Listener = (now: number) => void;

/**
 * The clocks, by the milliseconds between their ticks. Components share them, so that all components update
 * together.
 */
const clocks = new Map<number, Set<Listener>>();

/** Starts a clock, which calls its listeners on each tick. */
function startClock(every: number): Set<Listener> {
  const listeners = new Set<Listener>();
  const tick = () => {
    const now = Date.now();
    if (document.visibilityState === 'visible') for (const listener of listeners) listener(now);
  };
  setInterval(tick, every);
  document.addEventListener('visibilitychange', tick);
  clocks.set(every, listeners);
  return listeners;
}

/**
 * Returns the current time in milliseconds. Updates every `every` milliseconds while `running` is true and the tab is
 * visible.
 */
export function useNow(running: boolean, every = 1000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return undefined;
    const listeners = clocks.get(every) ?? startClock(every);
    const listen = (time: number) => setNow(time);
    listeners.add(listen);
    listen(Date.now());
    return () => void listeners.delete(listen);
  }, [running, every]);
  return now;
}
