import { useEffect, useState } from 'react';
import type { History } from '../events/history.ts';
import type { RunTimes } from '../indexer/run-times.ts';
import { useRun } from './run-context.tsx';

/** The answers live as long as their histories. */
const known = new WeakMap<History, Promise<RunTimes>>();

/**
 * Where the time of the run on the page went. The worker of its history computes it, while `wanted` is true; undefined until
 * then. While events arrive, the last answer stays.
 */
export function useRunTimes(wanted: boolean): RunTimes | undefined {
  const { follow, times } = useRun();
  const { history } = follow;
  const [answer, setAnswer] = useState<RunTimes>();
  const isAsked = wanted && history.events.length > 0;
  useEffect(() => {
    if (!isAsked) return;
    const asked = known.get(history) ?? times();
    known.set(history, asked);
    // The worker answers in the order of the questions.
    void asked.then(setAnswer);
  }, [isAsked, history, times]);
  return isAsked ? answer : undefined;
}
