import type { PayloadRef, PayloadStub, WorkflowDescription, WorkflowStatus } from '@temporal-kms/codec-api';
import { type ReactNode, useCallback, useEffect, useMemo, useState } from 'react';
import { useStore } from 'zustand';
import type { Payloads } from '../../payloads/decoder.ts';
import { type KeyUsage, keyUsage } from '../../payloads/payload-keys.ts';
import { PayloadsProvider, useFindings, usePayloads } from '../../payloads/payloads-context.tsx';
import type { RunAddress } from '../../session/server/addresses.ts';
import { requiredContext } from '../../ui/required-context.ts';
import { useNow } from '../../ui/use-now.ts';
import { useStoreInSteps } from '../../ui/use-store-in-steps.ts';
import { stubOf } from '../events/history.ts';
import { openHistoryPort } from '../indexer/history-client.ts';
import type { RunTimes } from '../indexer/run-times.ts';
import { isOpen } from '../outcome.ts';
import type { Find, FindState } from './find-in-run.ts';
import { type FollowState, isLoaded } from './follow-history.ts';
import type { FailuresSeen } from './failures-seen.ts';
import type { AttemptsSeen, RunSession } from './run-session.ts';
import { type RunSessionsPlace, useRunSessionsPlace } from './run-sessions-context.tsx';
import { createRunSessions, type RunSessions } from './run-sessions.ts';

/** Returns the run sessions that `place` holds, creating them if necessary. */
export const runSessionsAt = (place: RunSessionsPlace): RunSessions =>
  place((options) => createRunSessions({ ...options, openPort: openHistoryPort }));

export const useRunSessions = (): RunSessions => runSessionsAt(useRunSessionsPlace());

/** The changes since the user paused updates. */
interface Held {
  /** When the user paused, in milliseconds since 1970. */
  readonly since: number;
  /** Number of events that have arrived since the user paused. */
  readonly events: number;
  /** Whether the run has ended. */
  readonly ended: boolean;
  /** Whether events are arriving now. */
  readonly phase: FollowState['phase'];
}

/** Everything that the page knows about one run. */
interface Run {
  readonly address: RunAddress;
  readonly description: WorkflowDescription;
  readonly open: boolean;
  readonly follow: FollowState;
  /** Requests the history's next events without waiting for the next retry. */
  readonly retryHistory: () => void;
  /** When pending attempts started, as the server reported while this page was open. */
  readonly attemptsSeen: AttemptsSeen;
  /** The failures of attempts, as the server reported them while this page was open. */
  readonly failuresSeen: FailuresSeen;
  /** Whether the user has paused the updates of the page. */
  readonly paused: boolean;
  readonly setPaused: (paused: boolean) => void;
  /** The changes that the page does not show yet; undefined while updates are not paused. */
  readonly held: Held | undefined;
  readonly usage: KeyUsage;
  /** Returns the stub of an event's payload, or of a payload of the description (`0:<n>`). */
  readonly stub: (ref: PayloadRef) => PayloadStub | undefined;
  readonly find: Find;
  /** Where the run's time went, according to the part of its history that has loaded. */
  readonly times: () => Promise<RunTimes>;
}

const [Context, useRun] = requiredContext<Run>('RunProvider');
export { useRun };

/**
 * Returns the current time in milliseconds, for durations that are still growing. Stops when the run ends and
 * while updates are paused.
 */
export function useRunNow(running = true): number {
  const { open, paused } = useRun();
  return useNow(running && open && !paused);
}

/** The run that surrounding providers offer to components. */
export interface RunScope {
  readonly run: Run;
  readonly payloads: Payloads;
}

/**
 * Returns the run that the surrounding providers offer. On a page that shows two runs, `RunScopeProvider` can
 * provide a run to other parts of the page.
 */
export function useRunScope(): RunScope {
  const run = useRun();
  const payloads = usePayloads();
  return useMemo(() => ({ run, payloads }), [run, payloads]);
}

export function RunScopeProvider({ scope, children }: { scope: RunScope; children: ReactNode }) {
  return (
    <PayloadsProvider payloads={scope.payloads}>
      <Context value={scope.run}>{children}</Context>
    </PayloadsProvider>
  );
}

/** Returns the state of the search in the current run. */
export function useFind(): FindState {
  return useStore(useRun().find.store);
}

interface RunProviderProps {
  readonly address: RunAddress;
  readonly renderFailed: (error: Error, retry: () => void) => ReactNode;
  readonly loading: ReactNode;
  readonly children: ReactNode;
}

/** Loads a run while mounted. The caller must set the address as `key`, so that another run gets a new provider. */
export function RunProvider({ address, ...rest }: RunProviderProps) {
  const sessions = useRunSessions();
  const session = sessions.get(address);
  useEffect(() => sessions.use(session.address), [sessions, session]);
  return <SessionProvider session={session} {...rest} />;
}

interface FileRunProviderProps extends Omit<RunProviderProps, 'address'> {
  readonly session: RunSession;
}

/** Like `RunProvider`, for a run in a history file. */
export function FileRunProvider({ session, ...rest }: FileRunProviderProps) {
  useEffect(() => {
    session.start();
    return () => session.stop();
  }, [session]);
  return <SessionProvider session={session} {...rest} />;
}

function SessionProvider({ session, renderFailed, loading, children }: FileRunProviderProps) {
  const state = useStoreInSteps(session.store);
  const [pausedAt, setPausedAt] = useState<number>();
  const { description, attemptsSeen, failuresSeen } = useKept(state, () => pausedAt !== undefined);
  if (!description) return state.failure ? renderFailed(state.failure, session.refresh) : loading;
  return (
    <PayloadsProvider payloads={session.payloads}>
      <Loaded
        session={session}
        description={description}
        attemptsSeen={attemptsSeen}
        failuresSeen={failuresSeen}
        status={(state.description ?? description).workflow.status}
        pausedAt={pausedAt}
        setPausedAt={setPausedAt}
      >
        {children}
      </Loaded>
    </PayloadsProvider>
  );
}

/**
 * Returns the current value. However, while `isKept` is true for the last returned value, keeps returning that
 * value.
 */
function useKept<T>(value: T, isKept: (last: T) => boolean): T {
  const [last, setLast] = useState(value);
  if (isKept(last)) return last;
  if (last !== value) setLast(value);
  return value;
}

function useHeld(since: number | undefined, { events, ended, phase }: Omit<Held, 'since'>) {
  return useMemo<Held | undefined>(
    () => (since === undefined ? undefined : { since, events, ended, phase }),
    [since, events, ended, phase],
  );
}

interface LoadedProps extends Pick<Run, 'description' | 'attemptsSeen' | 'failuresSeen'> {
  readonly session: RunSession;
  /** The run's current status, even while updates are paused. */
  readonly status: WorkflowStatus;
  readonly pausedAt: number | undefined;
  readonly setPausedAt: (at: number | undefined) => void;
  readonly children: ReactNode;
}

function Loaded({
  session,
  description,
  attemptsSeen,
  failuresSeen,
  status,
  pausedAt,
  setPausedAt,
  children,
}: LoadedProps) {
  const paused = pausedAt !== undefined;
  const setPaused = useCallback((next: boolean) => setPausedAt(next ? Date.now() : undefined), [setPausedAt]);
  const present = useStoreInSteps(session.history);
  // If the user pauses before the first rows have loaded, the pause begins when they have loaded.
  const follow = useKept(present, (last) => paused && isLoaded(last, description.workflow.historyLength));
  const findings = useFindings();
  const { history, phase } = follow;
  const held = useHeld(pausedAt, {
    events: Math.max(present.history.events.length - history.events.length, 0),
    ended: present.phase === 'complete' || !isOpen(status),
    phase: present.phase,
  });
  const hasEvents = history.events.length > 0;
  useEffect(() => {
    if (hasEvents) session.drawn();
  }, [hasEvents, session]);
  const usage = useMemo(
    () => keyUsage(history.tallies, findings, (ref) => stubOf(history, ref)),
    [history, findings],
  );
  const run = useMemo<Run>(
    () => ({
      address: session.address,
      description,
      open: isOpen(description.workflow.status) && phase !== 'complete',
      follow,
      retryHistory: session.retryHistory,
      attemptsSeen,
      failuresSeen,
      paused,
      setPaused,
      held,
      usage,
      stub: session.stub,
      find: session.find,
      times: session.times,
    }),
    [session, description, phase, follow, attemptsSeen, failuresSeen, paused, setPaused, held, usage],
  );
  return <Context value={run}>{children}</Context>;
}
