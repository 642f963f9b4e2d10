import { useEffect, useState } from 'react';

/**
 * Returns the current time in milliseconds. Updates every `every` milliseconds while `running` is true and the tab is
 * visible.
 */
export function useNow(running: boolean, every = 1000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return undefined;
    const tick = () => {
      if (document.visibilityState === 'visible') setNow(Date.now());
    };
    tick();
    const timer = setInterval(tick, every);
    document.addEventListener('visibilitychange', tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', tick);
    };
  }, [running, every]);
  return now;
}
