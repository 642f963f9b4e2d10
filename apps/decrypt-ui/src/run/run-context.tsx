import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { PayloadRef, PayloadStub, WorkflowDescription } from '@temporal-kms/codec-api';
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import { useStore } from 'zustand';
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { RunAddress } from '../api/client.ts';
import { descriptionQuery } from '../api/queries.ts';
import type { RecordedEvent } from '../model/history.ts';
import { type KeyUsage, keyUsage } from '../model/keys.ts';
import { isOpen } from '../model/outcome.ts';
import { type PendingWork, pendingWork } from '../model/pending.ts';
import { createDecoder, type Decoder } from '../payloads/decoder.ts';
import { PayloadsProvider, useFindings } from '../payloads/payloads-context.tsx';
import { runScope } from '../payloads/plaintext-cache.ts';
import { useServices } from '../state/services.tsx';
import { type FollowState, followHistory, type HistoryFollower } from './follow.ts';

/** By activity id: when attempts started, in milliseconds, ascending. */
type AttemptsSeen = ReadonlyMap<string, readonly number[]>;

/** Everything that the page knows about one run. */
export interface Run {
  readonly address: RunAddress;
  readonly description: WorkflowDescription;
  readonly open: boolean;
  readonly follow: FollowState;
  /** The starts of pending attempts that the server has reported while this page was open. */
  readonly attemptsSeen: AttemptsSeen;
  readonly usage: KeyUsage;
  /** Finds the stub of an event's payload, or of a payload of the description (`0:<n>`). */
  readonly stub: (ref: PayloadRef) => PayloadStub | undefined;
}

const Context = createContext<Run | undefined>(undefined);

export function useRun(): Run {
  const run = useContext(Context);
  if (!run) throw new Error('useRun() was called outside of <RunProvider>.');
  return run;
}

/** Milliseconds between two descriptions of an open run: its attempts and heartbeats change without an event. */
const DESCRIBE_EVERY = 3000;

interface RunProviderProps {
  readonly address: RunAddress;
  readonly renderFailed: (error: Error, retry: () => void) => ReactNode;
  readonly loading: ReactNode;
  readonly children: ReactNode;
}

/**
 * Describes one run, follows its history and decodes its payloads. The caller must set the address as `key`, so that
 * another run gets another provider.
 */
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
    <PayloadsProvider decoder={parts.decoder}>
      <Following {...parts} address={address} description={described.data}>
        {children}
      </Following>
    </PayloadsProvider>
  );
}

const stubOf = (events: readonly RecordedEvent[], ref: PayloadRef) =>
  events[Number(ref.split(':', 1)[0]) - 1]?.payloads.find((stub) => stub.ref === ref);

interface Parts {
  readonly decoder: Decoder;
  readonly follower: HistoryFollower;
  readonly attempts: StoreApi<{ readonly seen: AttemptsSeen }>;
}

function useRunParts(address: RunAddress, description: WorkflowDescription | undefined): Parts {
  const { api, plaintext } = useServices();
  // The address is the component's key, so it never changes.
  const [parts] = useState<Parts>(() => {
    const follower = followHistory({
      open: (after, signal) => api.history(address, { after, live: true }, signal),
    });
    const decoder = createDecoder({
      decode: (refs, signal) => api.decode(address, refs, signal),
      cache: plaintext,
      scope: runScope(address),
      stub: (ref) => stubOf(follower.store.getState().history.events, ref),
    });
    return { follower, decoder, attempts: createStore(() => ({ seen: new Map() })) };
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
    if (!description) return;
    parts.attempts.setState(({ seen }) => ({ seen: withAttempts(seen, pendingWork(description)) }));
  }, [parts, description]);

  return parts;
}

/**
 * Adds the attempts of pending activities. The server reports the last attempt only and history contains no attempt, so
 * a page that is open while an activity retries collects what neither of them keeps.
 */
function withAttempts(seen: AttemptsSeen, work: readonly PendingWork[]): AttemptsSeen {
  const next = new Map(seen);
  for (const { kind, id, lastStartedAt } of work) {
    const known = next.get(id) ?? [];
    if (kind !== 'activity' || lastStartedAt === undefined || known.includes(lastStartedAt)) continue;
    next.set(id, [...known, lastStartedAt]);
  }
  return [...next].every(([id, starts]) => seen.get(id) === starts) ? seen : next;
}

interface FollowingProps extends Parts {
  readonly address: RunAddress;
  readonly description: WorkflowDescription;
  readonly children: ReactNode;
}

function Following({ follower, attempts, address, description, children }: FollowingProps) {
  const client = useQueryClient();
  const { api } = useServices();
  const follow = useStore(follower.store);
  const attemptsSeen = useStore(attempts, ({ seen }) => seen);
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

  // When the stream has ended, or has more events than the description counts, the description is out of date.
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
