import { type QueryClient, QueryObserver, type QueryObserverResult } from '@tanstack/react-query';
import type { PayloadRef, PayloadStub, WorkflowDescription } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import { type PendingWork, pendingWork } from '@temporal-kms/histories/events';
import { createDecoder, type DecoderOptions, type Payloads } from '../../payloads/decoder.ts';
import { type PlaintextCache, runScope } from '../../payloads/reveal/plaintext-cache.ts';
import { accessTo, accessToSearch, type Reveals } from '../../payloads/reveal/reveals.ts';
import type { RunAddress } from '../../session/server/addresses.ts';
import { untilLoaded } from '../../session/server/query-client.ts';
import type { RunApi } from '../api.ts';
import { eventOfPayload, stubOf } from '../events/history.ts';
import { isOpen } from '../outcome.ts';
import { descriptionQuery } from '../queries.ts';
import { type FailuresSeen, withFailures } from './failures-seen.ts';
import { createFind } from './find-in-run.ts';
import { followHistory, type FollowOptions } from './follow-history.ts';
import { apiHistory, type HistorySource } from './history-source.ts';

/** When attempts started, by activity id, in milliseconds, ascending. */
export type AttemptsSeen = ReadonlyMap<string, readonly number[]>;

export interface RunState {
  readonly description: WorkflowDescription | undefined;
  /** Why the run could not be described. If a later request fails, the earlier description is kept. */
  readonly failure: Error | undefined;
  /** When pending attempts started, as the server reported while the run was on the screen. */
  readonly attemptsSeen: AttemptsSeen;
  /** The failures of attempts, as the server reported them while the run was on the screen. */
  readonly failuresSeen: FailuresSeen;
}

export interface RunSessionOptions {
  readonly api: RunApi;
  readonly queries: QueryClient;
  readonly plaintext: PlaintextCache;
  readonly reveals: Reveals;
  readonly openPort: FollowOptions['openPort'];
  /** The source of the history. Default: the server. */
  readonly source?: HistorySource;
}

/**
 * A session holds everything that the page knows about one run: it requests the description, follows the history, decodes
 * payloads and searches. Sessions do not depend on React or on each other, so one screen can show several runs.
 */
export type RunSession = ReturnType<typeof createRunSession>;

/** Milliseconds between requests for an open run's description: attempts and heartbeats change without an event. */
const DESCRIBE_EVERY = 3000;

export function createRunSession(
  address: RunAddress,
  { api, queries, plaintext, reveals, openPort, source = apiHistory(api, address) }: RunSessionOptions,
) {
  const { namespace, workflowId, runId } = address;
  const options = descriptionQuery(api, namespace, workflowId, runId);
  const store = createStore<RunState>()(() => ({
    description: queries.getQueryData(options.queryKey),
    failure: undefined,
    attemptsSeen: new Map(),
    failuresSeen: new Map(),
  }));
  const follower = followHistory({ source, openPort, onFound: (ids, from) => find.addNames(ids, from) });
  const find = createFind({
    findNames: (words) => follower.find(words),
    searchPayloads: (request, signal) => api.search(address, request, signal),
    ...(api.renewed && { renewed: api.renewed }),
  });
  const decoder = createDecoder({
    ...decodingOf(address, { api, plaintext, reveals }, (ref) => payloads.place(ref)),
    stub: (ref) => findStub(ref),
  });
  let described = new Map<PayloadRef, PayloadStub>();
  let running: (() => void) | undefined;

  const payloads: Payloads = {
    decoder,
    place: (ref) => ({ run: address, ref, otherNamespace: findStub(ref)?.namespace }),
    ofEvent: (ref) =>
      eventOfPayload(follower.store.getState().history, ref)?.payloads.map((stub) => stub.ref) ?? [],
    target: (refs) => ({ kind: 'payloads', run: address, refs }),
  };
  const findStub = (ref: PayloadRef): PayloadStub | undefined =>
    described.get(ref) ?? stubOf(follower.store.getState().history, ref);

  // Drops the results of a search of payloads together with the plaintext, even while the run is not on the screen.
  const stopForgetting = [
    reveals.onForget((forgotten) => {
      if (forgotten === undefined || forgotten === namespace) find.forgetPayloads();
    }),
    reveals.store.subscribe((state) => {
      const { search } = find.store.getState();
      if (search && accessToSearch(state, { namespace, run: address }).status !== 'open')
        find.forgetPayloads();
    }),
  ];

  function setDescribed({ data, error }: Pick<QueryObserverResult<WorkflowDescription>, 'data' | 'error'>) {
    if (data) setDescription(data);
    else if (error) store.setState({ failure: error });
  }

  function setDescription(description: WorkflowDescription) {
    const state = store.getState();
    const failuresSeen = withFailures(state.failuresSeen, description);
    if (state.description !== description || described.size === 0) {
      const seen = [...failuresSeen.values()].flat().flatMap(({ stubs }) => stubs);
      described = new Map([...seen, ...description.payloads].map((stub) => [stub.ref, stub]));
    }
    const attemptsSeen = withAttempts(state.attemptsSeen, pendingWork(description));
    store.setState({ description, failure: undefined, attemptsSeen, failuresSeen });
  }

  /**
   * Returns whether the description is out of date: it shows an open run whose stream has ended, or counts
   * fewer events than have arrived.
   */
  function isOutOfDate(): boolean {
    const workflow = store.getState().description?.workflow;
    const { phase, history } = follower.store.getState();
    if (!workflow) return false;
    return (
      (phase === 'complete' && isOpen(workflow.status)) || history.events.length > workflow.historyLength
    );
  }

  function start(): () => void {
    const observer = new QueryObserver(queries, {
      ...options,
      refetchInterval: (query) =>
        query.state.data && isOpen(query.state.data.workflow.status) ? DESCRIBE_EVERY : untilLoaded(query),
    });
    const stopDescribing = observer.subscribe(setDescribed);
    setDescribed(observer.getCurrentResult());
    let refreshing: ReturnType<typeof setTimeout> | undefined;
    const stopWatching = follower.store.subscribe(() => {
      if (refreshing !== undefined || !isOutOfDate()) return;
      refreshing = setTimeout(() => {
        refreshing = undefined;
        if (isOutOfDate()) refresh();
      }, 300);
    });
    follower.start();
    return () => {
      clearTimeout(refreshing);
      stopWatching();
      stopDescribing();
      follower.stop();
      decoder.stop();
      find.stop();
    };
  }

  function refresh() {
    store.setState({ failure: undefined });
    void queries.refetchQueries({ queryKey: options.queryKey });
  }

  return {
    address,
    /** The run's description. */
    store,
    /** The run's history. */
    history: follower.store,
    payloads,
    find,
    /** Where the run's time went, according to the part of its history that has loaded. */
    times: follower.times,
    /** Requests the history's next events without waiting for the next retry. */
    retryHistory: () => {
      follower.stop();
      follower.start();
    },
    /** Requests the description again. */
    refresh,
    /** Call when events of the run have been rendered. */
    drawn: follower.drawn,
    /** Returns the stub of an event's payload, or of a payload of the description (`0:<n>`). */
    stub: findStub,
    /** Starts loading the run. Calling `start` again after `stop` continues where loading stopped. */
    start() {
      running ??= start();
    },
    stop() {
      running?.();
      running = undefined;
    },
    /** Frees the run's memory. The session cannot be used afterwards. */
    close() {
      running?.();
      running = undefined;
      for (const stop of stopForgetting) stop();
      find.clear();
      follower.close();
    },
  };
}

/** Returns the decoder's options for a run's payloads. */
export const decodingOf = (
  address: RunAddress,
  { api, plaintext, reveals }: Pick<RunSessionOptions, 'api' | 'plaintext' | 'reveals'>,
  place: Payloads['place'],
): DecoderOptions => ({
  decode: (...asked) => api.decode(address, ...asked),
  access: {
    of: (ref) => accessTo(reveals.store.getState(), place(ref)),
    subscribe: (listener) => reveals.store.subscribe(listener),
  },
  cache: plaintext,
  scope: runScope(address),
});

/**
 * Adds the attempts of pending activities. The server reports only the last attempt and the history contains none, so an
 * open page collects the attempts itself.
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
