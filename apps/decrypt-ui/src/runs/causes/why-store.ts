import { type CauseFrame, quoted, type RunCause } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import { messageOf } from '../../ui/errors.ts';
import { accessToCauses } from '../../payloads/reveal/reveals.ts';
import { perPerson } from '../../payloads/reveal/per-person.ts';
import { type Opening, whenHidden } from '../../payloads/reveal/when-hidden.ts';
import { type CausesSource, openingToCauses, requestCauses } from './request-causes.ts';

interface WhyState {
  /** The namespace and reveal of the causes. Each time the causes are dropped, a new object replaces `of`. */
  readonly of: Opening;
  /** The causes by run id; undefined for a run without a cause. */
  readonly causes: ReadonlyMap<string, RunCause | undefined>;
  /** Why runs could not be read, by run id. */
  readonly unread: ReadonlyMap<string, string>;
  /** Number of times that the causes were dropped. */
  readonly drops: number;
}

/** Stores why the runs of a list failed. Reads each run only once, because a closed run's cause never changes. */
function createWhyStore(source: CausesSource) {
  const store = createStore<WhyState>()(() => ({ ...nothing, drops: 0 }));
  const drop = () => store.setState(({ drops }) => ({ ...nothing, drops: drops + 1 }));
  whenHidden(source, accessToCauses, () => store.getState().of, drop);
  source.plaintext.onClear(drop);
  return {
    store,
    /** Requests the causes of the runs whose causes are not known yet. */
    async load(namespace: string, runIds: readonly string[], signal: AbortSignal) {
      const opening = openingToCauses(source, namespace);
      const before = store.getState().of;
      if (before.namespace !== namespace || before.decoded !== opening.decoded)
        store.setState({ ...nothing, of: opening });
      const { of, causes } = store.getState();
      const wanted = runIds.filter((runId) => !causes.has(runId)).slice(0, MAX_RUNS);
      if (wanted.length === 0) return;
      const found = new Map<string, RunCause | undefined>();
      let missed: string | undefined = ENDED_EARLY;
      try {
        const query = `RunId IN (${wanted.map(quoted).join(', ')})`;
        for await (const frame of requestCauses(source, { ...of, query }, signal)) {
          if (frame.type === 'run') found.set(frame.runId, frame);
          else if (frame.type === 'end') missed = whyMissed(frame);
        }
      } catch (error) {
        missed = messageOf(error);
      }
      const now = store.getState();
      if (now.of !== of) return;
      const rest = signal.aborted ? [] : wanted.filter((runId) => !found.has(runId));
      if (missed === undefined) for (const runId of rest) found.set(runId, undefined);
      const unread = new Map([...now.unread].filter(([runId]) => !found.has(runId)));
      if (missed !== undefined) for (const runId of rest) unread.set(runId, missed);
      store.setState({ causes: new Map([...now.causes, ...found]), unread });
    },
  };
}

const nothing: Omit<WhyState, 'drops'> = {
  of: { namespace: '', decoded: false, grant: undefined },
  causes: new Map(),
  unread: new Map(),
};

const ENDED_EARLY = 'The codec server’s answer ended early.';

/** Returns why the answer does not contain a run, or undefined if the run has no cause. */
function whyMissed({ reason, message, failed }: Extract<CauseFrame, { type: 'end' }>): string | undefined {
  if (reason === 'complete') return failed > 0 ? 'The codec server could not read the run.' : undefined;
  if (reason === 'limit' || reason === 'shutdown')
    return 'The codec server ended the request before this run.';
  return message ?? ENDED_EARLY;
}

/** Maximum number of runs in one request. The request's query may have at most 5,000 characters. */
const MAX_RUNS = 100;

export const whyStoreOf = perPerson(createWhyStore);
