import { createContext, type ReactNode, useContext } from 'react';
import type { RunSessionOptions } from './run-session.ts';
import type { RunSessions } from './run-sessions.ts';

type Options = Omit<RunSessionOptions, 'openPort' | 'source'>;

/**
 * Returns the sessions of runs; the first call creates them. The caller brings the code that does so, and pages without
 * runs do not load it.
 */
export type RunSessionsPlace = (create: (options: Options) => RunSessions) => RunSessions;

const Context = createContext<RunSessionsPlace | undefined>(undefined);

/** Returns the place of the sessions of runs, with what they need. */
export function createRunSessionsPlace(options: Options): RunSessionsPlace {
  let sessions: RunSessions | undefined;
  return (create) => (sessions ??= create(options));
}

/** Gives the pages the place of the sessions of runs. */
export function RunSessionsProvider({ place, children }: { place: RunSessionsPlace; children: ReactNode }) {
  return <Context value={place}>{children}</Context>;
}

export function useRunSessionsPlace(): RunSessionsPlace {
  const place = useContext(Context);
  if (!place) throw new Error('A run was rendered outside of <RunSessionsProvider>.');
  return place;
}
