import { useEffect, useState } from 'react';
import type { History } from '../events/history.ts';
import type { RunTimes } from '../indexer/run-times.ts';
import { useRun } from './run-context.tsx';

/** Caches each answer for as long as the history object exists. */
const known = new WeakMap<History, Promise<RunTimes>>();

/**
 * Returns where the current run's time went, or undefined until it is known. The worker that holds the history computes the
 * answer while `wanted` is true. While events arrive, returns the previous answer.
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
    // The worker answers in the order of the questions, so the last answer is the newest.
    void asked.then(setAnswer);
  }, [isAsked, history, times]);
  return isAsked ? answer : undefined;
}
