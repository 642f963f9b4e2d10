import { escapeInvisible, failedStatuses, type WorkflowSummary } from '@temporal-kms/codec-api';
import { useEffect } from 'react';
import { useStore } from 'zustand';
import { useRevealed } from '../../payloads/reveal/reveals-context.tsx';
import { accessToCauses } from '../../payloads/reveal/reveals.ts';
import { MessageLine } from './cause-message.tsx';
import styles from './causes.module.css';
import { useRevealSource } from '../../payloads/reveal/use-reveal-source.ts';
import { whyStoreOf } from './why-store.ts';

/**
 * Milliseconds that the rows in view must stay unchanged before the list requests anything, so that scrolling
 * sends no requests.
 */
const SETTLE = 300;

const useWhyStore = () => whyStoreOf(useRevealSource());

interface WhyRequestsProps {
  readonly namespace: string;
  readonly inView: readonly WorkflowSummary[];
}

/**
 * Once the failed runs in view have stayed the same for a while, requests their causes together. Requests them
 * again after the store has dropped them.
 */
export function WhyRequests(props: WhyRequestsProps) {
  const access = useRevealed((state) => accessToCauses(state, props.namespace).status);
  const drops = useStore(useWhyStore().store, (state) => state.drops);
  return <WhyRequest key={`${access} ${drops}`} {...props} />;
}

function WhyRequest({ namespace, inView }: WhyRequestsProps) {
  const why = useWhyStore();
  const away = useRevealed((state) => state.away);
  const ids = inView
    .flatMap(({ status, runId }) => (failedStatuses.includes(status) ? [runId] : []))
    .join(' ');
  useEffect(() => {
    if (ids === '' || away) return undefined;
    const end = new AbortController();
    const timer = setTimeout(() => void why.load(namespace, ids.split(' '), end.signal), SETTLE);
    return () => {
      clearTimeout(timer);
      end.abort();
    };
  }, [why, namespace, ids, away]);
  return null;
}

interface WhyCellProps {
  readonly namespace: string;
  readonly run: WorkflowSummary;
  /** Why a running workflow makes no progress. */
  readonly problem: string | undefined;
}

/**
 * Why a run failed, on one line: the type, the place and, if it may be shown, the message. For a running
 * workflow, why it makes no progress.
 */
export function WhyCell({ namespace, run: { runId, status }, problem }: WhyCellProps) {
  const { store } = useWhyStore();
  const isOurs = useStore(store, ({ of }) => of.namespace === namespace);
  const isRead = useStore(store, ({ causes }) => causes.has(runId)) && isOurs;
  const cause = useStore(store, ({ causes }) => causes.get(runId));
  const unread = useStore(store, (state) => state.unread.get(runId));
  if (problem !== undefined) {
    return (
      <span className={styles['why']} data-tip={problem}>
        {problem}
      </span>
    );
  }
  if (!failedStatuses.includes(status)) return null;
  if (!isRead)
    return isOurs && unread !== undefined ? (
      <span className="t3" data-tip={`${unread} The page tries again when the rows in view change.`}>
        not read
      </span>
    ) : null;
  if (cause === undefined) return <span className="t3">–</span>;
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
