import {
  countReason,
  type CauseFrame,
  type ReasonCounts,
  reasonEntries,
  type RunCause,
} from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import type { Reveals } from '../../payloads/reveal/reveals.ts';
import { endOf, PUBLISH_MS, type SearchStatus, whileSignedIn } from '../../search/payload-search.ts';
import { type ApiFailure, failureOf, isAbort } from '../../session/server/failure.ts';
import {
  type CausesOpening,
  type CausesSource,
  openingOf,
  requestCauses,
  whenHidden,
} from './request-causes.ts';

/** The failed runs that match a visibility query. */
interface FailedRuns {
  readonly namespace: string;
  /** A visibility query without relative times. */
  readonly query: string;
}

/** The failed runs that were read so far, and whether reading continues. */
export interface CausesProgress extends FailedRuns, CausesOpening {
  readonly status: SearchStatus;
  readonly runs: readonly RunCause[];
  /** How many failed runs match; undefined until the first line. */
  readonly total: number | undefined;
  /** The share of the runs that the server reads: 1, or less for a sample. */
  readonly share: number;
  /** Runs that could not be read. */
  readonly failed: number;
  readonly kmsCalls: number;
  readonly unreadable: ReasonCounts;
  /** The server's position after the last run. */
  readonly after: string | undefined;
  readonly failure?: ApiFailure | undefined;
  /** Given after the server refused a request without a justification. Only in memory, like the runs. */
  readonly justification?: string | undefined;
}

interface CausesState {
  readonly progress: CausesProgress | undefined;
  /** The id of the open group. Not in the address: it is a hash of the message's shape. */
  readonly open: string | undefined;
}

export type Causes = ReturnType<typeof createCauses>;

/** Reads why the runs of a query failed. The result stays while the reader is on another page, so that Back finds it again. */
function createCauses(source: CausesSource) {
  const store = createStore<CausesState>()(() => ({ progress: undefined, open: undefined }));
  let abort: AbortController | undefined;

  function stop(status?: 'stopped') {
    abort?.abort();
    abort = undefined;
    const { progress } = store.getState();
    if (progress?.status === 'running' && status) store.setState({ progress: { ...progress, status } });
  }

  async function run(begun: CausesProgress) {
    stop();
    const own = new AbortController();
    abort = own;
    const runs = new Map(begun.runs.map((each) => [each.runId, each]));
    let base = begun;
    let progress: CausesProgress = { ...begun, status: 'running', failure: undefined };
    let publishing: ReturnType<typeof setTimeout> | undefined;
    const publish = () => {
      clearTimeout(publishing);
      publishing = undefined;
      if (abort === own) store.setState({ progress: { ...progress, runs: [...runs.values()] } });
    };
    const add = (frame: CauseFrame) => {
      if (frame.type === 'start') progress = { ...progress, total: frame.total, share: frame.share };
      else if (frame.type === 'run') runs.set(frame.runId, frame);
      else {
        progress = { ...progress, ...sum(base, frame), after: frame.after };
        if (frame.type === 'progress') return;
        if ((frame.reason === 'signed_out' && source.api.renewed) || goesOn(frame)) base = progress;
        else progress = { ...progress, ...endOf(frame.reason, frame.message) };
      }
    };
    publish();
    const { namespace, query, decoded, grant, justification } = begun;
    const request = { namespace, query, decoded, grant, justification };
    const frames = whileSignedIn({
      after: begun.after,
      open: (after) => requestCauses(source, { ...request, after }, own.signal),
      goesOn,
      renewed: source.api.renewed,
      signal: own.signal,
    });
    try {
      for await (const frame of frames) {
        add(frame);
        publishing ??= setTimeout(publish, PUBLISH_MS);
      }
      if (progress.status === 'running') progress = { ...progress, ...endOf('error', undefined) };
    } catch (error) {
      if (isAbort(error)) {
        clearTimeout(publishing);
        return;
      }
      progress = { ...progress, status: 'failed', failure: failureOf(error) };
    }
    publish();
    if (abort === own) abort = undefined;
  }

  /** Drops the runs with their messages. */
  function forget() {
    stop();
    store.setState({ progress: undefined });
  }

  const begin = (of: FailedRuns) => void run({ ...nothingRead, ...of, ...openingOf(source, of.namespace) });

  whenHidden(source, () => store.getState().progress, forget);

  return {
    store,
    setOpen: (open: string | undefined) => store.setState({ open }),
    /** Reads the runs, unless they are known with as much as may be shown, or the person is away. */
    show(of: FailedRuns) {
      if (source.reveals.store.getState().away) return;
      const { progress } = store.getState();
      const isKnown =
        progress?.namespace === of.namespace &&
        progress.query === of.query &&
        progress.decoded === openingOf(source, of.namespace).decoded;
      if (!isKnown) begin(of);
    },
    /** Reads the runs again from the beginning. */
    again: begin,
    stop: () => stop('stopped'),
    /** Continues after the last run that was read, with the given justification if the server requires one. */
    resume(given?: string) {
      const { progress } = store.getState();
      if (progress) void run({ ...progress, justification: given ?? progress.justification });
    },
  };
}

/** Each request has limits on time and on Cloud KMS calls. A request that read nothing would only repeat itself. */
const goesOn = (frame: CauseFrame) =>
  frame.type === 'end' && frame.reason === 'limit' && frame.runs + frame.failed > 0;

const nothingRead: Omit<CausesProgress, keyof FailedRuns | keyof CausesOpening> = {
  status: 'running',
  runs: [],
  total: undefined,
  share: 1,
  failed: 0,
  kmsCalls: 0,
  unreadable: {},
  after: undefined,
};

/** Adds what a request has read to what earlier requests had. */
function sum(
  base: CausesProgress,
  added: Pick<CausesProgress, 'failed' | 'kmsCalls' | 'unreadable'>,
): Pick<CausesProgress, 'failed' | 'kmsCalls' | 'unreadable'> {
  const unreadable: ReasonCounts = { ...base.unreadable };
  for (const [reason, count] of reasonEntries(added.unreadable)) countReason(unreadable, reason, count);
  return { failed: base.failed + added.failed, kmsCalls: base.kmsCalls + added.kmsCalls, unreadable };
}

/** One store for each person at the page. */
const known = new WeakMap<Pick<Reveals, 'store' | 'onForget'>, Causes>();

export function causesOf(source: CausesSource): Causes {
  const causes = known.get(source.reveals) ?? createCauses(source);
  known.set(source.reveals, causes);
  return causes;
}
