import { createContext, type ReactNode, useContext, useState } from 'react';
import type { RunSessionOptions } from './session.ts';
import type { RunSessions } from './sessions.ts';

type Options = Omit<RunSessionOptions, 'openPort' | 'source'>;

/**
 * Returns the sessions of runs; the first call creates them. The caller brings the code that does so, and pages without
 * runs do not load it.
 */
type RunSessionsPlace = (create: (options: Options) => RunSessions) => RunSessions;

const Context = createContext<RunSessionsPlace | undefined>(undefined);

function createPlace(options: Options): RunSessionsPlace {
  let sessions: RunSessions | undefined;
  return (create) => (sessions ??= create(options));
}

/** Gives the pages what they need to create the sessions of runs. */
export function RunSessionsProvider({ options, children }: { options: Options; children: ReactNode }) {
  const [place] = useState(() => createPlace(options));
  return <Context value={place}>{children}</Context>;
}

export function useRunSessionsPlace(): RunSessionsPlace {
  const place = useContext(Context);
  if (!place) throw new Error('A run was rendered outside of <RunSessionsProvider>.');
  return place;
}
