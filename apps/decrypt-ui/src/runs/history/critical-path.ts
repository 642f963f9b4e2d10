import { criticalPath, type CriticalPath } from '@temporal-kms/histories/why';
import type { History } from '../events/history.ts';

/** Each path lives as long as its history. */
const known = new WeakMap<History, CriticalPath>();

/** The critical path of a history, as far as it is loaded. That of an open run leads to the moment of the first call. */
export function pathOf(history: History): CriticalPath {
  const path = known.get(history) ?? criticalPath({ ...history, now: Date.now() });
  known.set(history, path);
  return path;
}
