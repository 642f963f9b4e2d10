import { criticalPath, type CriticalPath } from '@temporal-kms/histories/why';
import type { History } from '../events/history.ts';

/** Caches each path for as long as its history lives. */
const known = new WeakMap<History, CriticalPath>();

/** Returns the critical path of the loaded part of a history. For an open run, the path ends at the time of the first call. */
export function pathOf(history: History): CriticalPath {
  const path = known.get(history) ?? criticalPath({ ...history, now: Date.now() });
  known.set(history, path);
  return path;
}
