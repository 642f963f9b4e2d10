import { escapeInvisible, quoted, type RunCause, type WorkflowSummary } from '@temporal-kms/codec-api';
import { useEffect } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { usePlaintext, useRevealed, useReveals } from '../../payloads/reveal/reveals-context.tsx';
import { accessToCauses, type Reveals } from '../../payloads/reveal/reveals.ts';
import { useServices } from '../../session/services.tsx';
import { isAbort } from '../../session/server/failure.ts';
import { MessageLine } from './cause-message.tsx';
import styles from './causes.module.css';
import { type CausesSource, requestCauses, whenHidden } from './request-causes.ts';

/** The causes of runs of one namespace by run id; undefined for a run that the server could not read. */
type Known = ReadonlyMap<string, RunCause | undefined>;

interface WhyState {
  readonly namespace: string;
  readonly decoded: boolean;
  readonly causes: Known;
}

/** Runs whose cause the list shows, and whether with their messages. */
interface Wanted {
  readonly namespace: string;
  readonly runIds: readonly string[];
  readonly decoded: boolean;
}

type WhyStore = ReturnType<typeof createWhyStore>;

/** Keeps why the runs of a list failed: a closed run's cause never changes, so each run is requested once. */
function createWhyStore(source: CausesSource) {
  const store = createStore<WhyState>()(() => nothing);
  const forget = () => store.setState(nothing);
  whenHidden(source, () => (store.getState().decoded ? [store.getState().namespace] : []), forget);
  return {
    store,
    forget,
    /** Requests the runs that are not known yet. */
    async load({ namespace, runIds, decoded }: Wanted, signal: AbortSignal) {
      const before = store.getState();
      if (before.namespace !== namespace || before.decoded !== decoded)
        store.setState({ namespace, decoded, causes: new Map() });
      const { causes } = store.getState();
      const wanted = runIds.filter((runId) => !causes.has(runId)).slice(0, MAX_RUNS);
      if (wanted.length === 0) return;
      const found = new Map<string, RunCause | undefined>(wanted.map((runId) => [runId, undefined]));
      const query = `RunId IN (${wanted.map(quoted).join(', ')})`;
      try {
        for await (const frame of requestCauses(source, { namespace, query, decoded }, signal))
          if (frame.type === 'run') found.set(frame.runId, frame);
      } catch (error) {
        // The list works without the column: rows without a cause show a dash.
        if (isAbort(error)) return;
      }
      const now = store.getState();
      if (now.namespace === namespace && now.decoded === decoded)
        store.setState({ causes: new Map([...now.causes, ...found]) });
    },
  };
}

const nothing: WhyState = { namespace: '', decoded: false, causes: new Map() };

/** Runs of one request: its query must fit the limit of 5,000 characters. */
const MAX_RUNS = 100;

/** Milliseconds for which the rows in view must stay the same: the list requests nothing while the reader scrolls. */
const SETTLE = 300;

/** One store for each person at the page. */
const stores = new WeakMap<Reveals, WhyStore>();

function useWhyStore(): WhyStore {
  const { api } = useServices();
  const reveals = useReveals();
  const found = stores.get(reveals) ?? createWhyStore({ api, reveals });
  stores.set(reveals, found);
  return found;
}

const failures: ReadonlySet<string> = new Set(['Failed', 'TimedOut', 'Terminated']);

interface WhyRequestsProps {
  readonly namespace: string;
  readonly inView: readonly WorkflowSummary[];
}

/** Requests why the rows in view failed, in one request, once they stay in view. A list at rest requests nothing. */
export function WhyRequests({ namespace, inView }: WhyRequestsProps) {
  const why = useWhyStore();
  const plaintext = usePlaintext();
  const decoded = useRevealed((state) => accessToCauses(state, namespace).status === 'open');
  const ids = inView.flatMap(({ status, runId }) => (failures.has(status) ? [runId] : [])).join(' ');
  useEffect(() => plaintext.onClear(why.forget), [plaintext, why]);
  useEffect(() => {
    if (ids === '') return undefined;
    const end = new AbortController();
    const timer = setTimeout(
      () => void why.load({ namespace, runIds: ids.split(' '), decoded }, end.signal),
      SETTLE,
    );
    return () => {
      clearTimeout(timer);
      end.abort();
    };
  }, [why, namespace, ids, decoded]);
  return null;
}

interface WhyCellProps {
  readonly namespace: string;
  readonly run: WorkflowSummary;
}

/** Why a run failed, on one line: the type, the message if it may be shown, and where. */
export function WhyCell({ namespace, run: { runId, status } }: WhyCellProps) {
  const { store } = useWhyStore();
  const cause = useStore(store, (state) =>
    state.namespace === namespace ? state.causes.get(runId) : undefined,
  );
  if (cause === undefined) return <span className="t3">{failures.has(status) ? '' : '–'}</span>;
  const { type, place } = cause.fingerprint.parts;
  return (
    <span className={styles['why']}>
      <span className={styles['type']}>{escapeInvisible(type)}</span>{' '}
      {cause.message.status === 'readable' && cause.message.text === '' ? null : (
        <MessageLine message={cause.message} />
      )}
      {place === '' ? null : <span className="t3"> in {escapeInvisible(place)}</span>}
    </span>
  );
}
