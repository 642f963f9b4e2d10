import type { ReactNode } from 'react';
import { requiredContext } from '../../ui/required-context.ts';
import type { RunSessionOptions } from './run-session.ts';
import type { RunSessions } from './run-sessions.ts';

type Options = Omit<RunSessionOptions, 'openPort' | 'source'>;

/**
 * Returns the run sessions; the first call creates them. The caller passes the function that creates run
 * sessions, so that pages without runs do not load that function's code.
 */
export type RunSessionsPlace = (create: (options: Options) => RunSessions) => RunSessions;

const [Context, useRunSessionsPlace] = requiredContext<RunSessionsPlace>('RunSessionsProvider');
export { useRunSessionsPlace };

/** Creates the place that holds run sessions, with the options to create them. */
export function createRunSessionsPlace(options: Options): RunSessionsPlace {
  let sessions: RunSessions | undefined;
  return (create) => (sessions ??= create(options));
}

/** Provides the pages with the place that holds run sessions. */
export function RunSessionsProvider({ place, children }: { place: RunSessionsPlace; children: ReactNode }) {
  return <Context value={place}>{children}</Context>;
}
