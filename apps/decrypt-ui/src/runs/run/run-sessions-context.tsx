import type { ReactNode } from 'react';
import { requiredContext } from '../../ui/required-context.ts';
import type { RunSessionOptions } from './run-session.ts';
import type { RunSessions } from './run-sessions.ts';

type Options = Omit<RunSessionOptions, 'openPort' | 'source'>;

/**
 * Returns the sessions of runs; the first call creates them. The caller brings the code that does so, and pages without
 * runs do not load it.
 */
export type RunSessionsPlace = (create: (options: Options) => RunSessions) => RunSessions;

const [Context, useRunSessionsPlace] = requiredContext<RunSessionsPlace>('RunSessionsProvider');
export { useRunSessionsPlace };

/** Returns the store of run sessions, with what they need. */
export function createRunSessionsPlace(options: Options): RunSessionsPlace {
  let sessions: RunSessions | undefined;
  return (create) => (sessions ??= create(options));
}

/** Gives the pages the store of run sessions. */
export function RunSessionsProvider({ place, children }: { place: RunSessionsPlace; children: ReactNode }) {
  return <Context value={place}>{children}</Context>;
}
