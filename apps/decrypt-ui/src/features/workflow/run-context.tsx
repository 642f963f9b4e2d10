import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { PayloadRef, PayloadStub, WorkflowDescription } from '@temporal-kms/codec-api';
import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from 'react';
import type { RunAddress } from '../../api/client.ts';
import { descriptionQuery } from '../../api/queries.ts';
import { type FollowState, followHistory, type HistoryFollower } from '../../history/follow.ts';
import { type AttemptLog, type AttemptsSeen, createAttemptLog } from '../../history/attempt-log.ts';
import type { RecordedEvent } from '../../model/history.ts';
import { type KeyUsage, keyUsage } from '../../model/keys.ts';
import { isOpen } from '../../model/outcome.ts';
import { pendingWork } from '../../model/pending.ts';
import { createDecoder, type Decoder } from '../../payloads/decoder.ts';
import { runScope } from '../../payloads/scope.ts';
import { PayloadsProvider, useFindings } from '../../payloads/payloads-context.tsx';
import { RunAddressContext } from '../../state/run-address.ts';
import { useServices } from '../../state/services.tsx';

export interface Run {
  readonly address: RunAddress;
  readonly description: WorkflowDescription;
  readonly open: boolean;
  readonly follow: FollowState;
  /** Starts of pending attempts that this page has seen, by activity id. */
  readonly attemptsSeen: AttemptsSeen;
  readonly usage: KeyUsage;
  /** Of an event's payload, or of the description's (`0:<n>`). */
  readonly stub: (ref: PayloadRef) => PayloadStub | undefined;
}

const Context = createContext<Run | undefined>(undefined);

export function useRun(): Run {
  const run = useContext(Context);
  if (!run) throw new Error('No run around this component.');
  return run;
}

/** While a run is open its attempts and heartbeats change without an event. */
const DESCRIBE_EVERY = 3000;

interface RunProviderProps {
  readonly address: RunAddress;
  readonly renderFailed: (error: Error, retry: () => void) => ReactNode;
  readonly loading: ReactNode;
  readonly children: ReactNode;
}

/** Describes and follows one run, and opens its payloads. Give it the address as `key`. */
export function RunProvider({ address, renderFailed, loading, children }: RunProviderProps) {
  const { api } = useServices();
  const { namespace, workflowId, runId } = address;
  const described = useQuery({
    ...descriptionQuery(api, namespace, workflowId, runId),
    refetchInterval: ({ state }) =>
      state.data && isOpen(state.data.workflow.status) ? DESCRIBE_EVERY : false,
  });
  const parts = useRunParts(address, described.data);
  if (!described.data) {
    return described.error ? renderFailed(described.error, () => void described.refetch()) : loading;
  }
  return (
    <RunAddressContext value={address}>
      <PayloadsProvider decoder={parts.decoder}>
        <Following {...parts} address={address} description={described.data}>
          {children}
        </Following>
      </PayloadsProvider>
    </RunAddressContext>
  );
}

const stubOf = (events: readonly RecordedEvent[], ref: PayloadRef) =>
  events[Number(ref.split(':', 1)[0]) - 1]?.payloads.find((stub) => stub.ref === ref);

interface Parts {
  readonly decoder: Decoder;
  readonly follower: HistoryFollower;
  readonly attempts: AttemptLog;
}

function useRunParts(address: RunAddress, description: WorkflowDescription | undefined): Parts {
  const { api, opened } = useServices();
  // One run for the life of this component: its address is its key.
  const [parts] = useState<Parts>(() => {
    const follower = followHistory({
      open: (after, signal) => api.history(address, { after, live: true }, signal),
    });
    const decoder = createDecoder({
      decode: (refs, signal) => api.decode(address, refs, signal),
      cache: opened,
      scope: runScope(address),
      stub: (ref) => stubOf(follower.state().history.events, ref),
    });
    return { follower, decoder, attempts: createAttemptLog() };
  });

  useEffect(() => {
    const { decoder, follower } = parts;
    follower.start();
    return () => {
      follower.stop();
      decoder.stop();
    };
  }, [parts]);

  useEffect(() => {
    if (description) parts.attempts.note(pendingWork(description));
  }, [parts, description]);

  return parts;
}

interface FollowingProps extends Parts {
  readonly address: RunAddress;
  readonly description: WorkflowDescription;
  readonly children: ReactNode;
}

function Following({ follower, attempts, address, description, children }: FollowingProps) {
  const client = useQueryClient();
  const { api } = useServices();
  const follow = useSyncExternalStore(follower.subscribe, follower.state);
  const attemptsSeen = useSyncExternalStore(attempts.subscribe, attempts.seen);
  const findings = useFindings();
  const { namespace, workflowId, runId } = address;
  const { events } = follow.history;
  const usage = useMemo(
    () =>
      keyUsage(
        events.flatMap((event) => event.payloads),
        findings,
      ),
    [events, findings],
  );
  const { phase } = follow;

  // The end of the stream, or more events than the description counts, is news about the run as a whole.
  const stale =
    (phase === 'complete' && isOpen(description.workflow.status)) ||
    events.length > description.workflow.historyLength;
  useEffect(() => {
    if (!stale) return undefined;
    const { queryKey } = descriptionQuery(api, namespace, workflowId, runId);
    const timer = setTimeout(() => void client.invalidateQueries({ queryKey }), 300);
    return () => clearTimeout(timer);
  }, [stale, client, api, namespace, workflowId, runId]);

  const described = useMemo(
    () => new Map(description.payloads.map((stub) => [stub.ref, stub])),
    [description],
  );
  const run = useMemo<Run>(
    () => ({
      address,
      description,
      open: isOpen(description.workflow.status) && phase !== 'complete',
      follow,
      attemptsSeen,
      usage,
      stub: (ref) => described.get(ref) ?? stubOf(events, ref),
    }),
    [address, description, phase, follow, attemptsSeen, usage, events, described],
  );
  return <Context value={run}>{children}</Context>;
}
