import type { PendingWork } from '../model/pending.ts';

/** By activity id: when attempts started, in milliseconds, ascending. */
export type AttemptsSeen = ReadonlyMap<string, readonly number[]>;
export type AttemptLog = ReturnType<typeof createAttemptLog>;

/**
 * The starts of pending attempts that this page has seen. The server tells the last one only, and history none of them,
 * so whoever looks while an activity retries knows more than either.
 */
export function createAttemptLog() {
  const listeners = new Set<() => void>();
  let seen: AttemptsSeen = new Map();
  return {
    note: (work: readonly PendingWork[]) => {
      const next = new Map(seen);
      for (const { kind, id, lastStartedAt } of work) {
        const known = next.get(id) ?? [];
        if (kind !== 'activity' || lastStartedAt === undefined || known.includes(lastStartedAt)) continue;
        next.set(id, [...known, lastStartedAt]);
      }
      if ([...next].every(([id, starts]) => seen.get(id) === starts)) return;
      seen = next;
      for (const listener of listeners) listener();
    },
    seen: () => seen,
    subscribe: (listener: () => void): (() => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
