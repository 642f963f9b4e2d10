import { useMemo } from 'react';
import { startOfDay } from '../../ui/format/time.ts';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { resolveTimes } from './visibility-query.ts';

/**
 * Milliseconds for which a list stays in the cache, so that the list is unchanged when the user goes back to
 * it.
 */
const SAME_LIST = 30 * 60_000;

/** When the relative times of a query were last resolved, by namespace and query. */
const resolvedAt = new Map<string, number>();

/** Returns the time when a list in the cache was loaded, or else the current time. */
function listTime(key: string): number {
  const known = resolvedAt.get(key);
  if (known !== undefined && Date.now() - known < SAME_LIST) return known;
  const now = Date.now();
  resolvedAt.set(key, now);
  return now;
}

/** Returns a function that replaces relative times in a query. */
export function useResolvedTimes(namespace: string, query: string): (text: string) => string {
  const { zone } = useTimeFormat();
  const key = `${namespace} ${query}`;
  return useMemo(() => {
    const now = listTime(key);
    return (text) => resolveTimes(text, now, startOfDay(now, zone));
  }, [key, zone]);
}
