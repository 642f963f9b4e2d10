import { at } from '@temporal-kms/histories/events';
import { CircleAlert, Unplug } from 'lucide-react';
import { FailurePanel } from '../../payloads/failure/failure-panel.tsx';
import { PayloadsProvider } from '../../payloads/payloads-context.tsx';
import { PayloadBlock } from '../../payloads/view/payload-block.tsx';
import type { ApiFailure } from '../../session/server/failure.ts';
import { Notice } from '../../ui/page/notice.tsx';
import styles from './now.module.css';
import type { WorkerQueryState } from './worker-query.ts';

interface AnswerViewProps {
  readonly state: WorkerQueryState;
  /** The name of the button that runs the query again. */
  readonly again?: string;
}

/** The outcome of a query: its result, the failure of the worker's code, or why there is no answer. */
export function AnswerView({ state, again = 'Run' }: AnswerViewProps) {
  switch (state.status) {
    case 'idle':
      return null;
    case 'asking':
      return (
        <p className={styles['note']} role="status">
          Waiting for a worker…
        </p>
      );
    case 'hidden':
      return <p className={styles['note']}>The answer is hidden. To see it, click “{again}”.</p>;
    case 'failed':
      return <NoAnswer failure={state.failure} />;
    default: {
      const { answer, payloads } = state;
      return (
        <PayloadsProvider payloads={payloads}>
          {answer.outcome === 'failed' ? (
            <>
              <FailurePanel
                failure={at(answer.attributes, 'failure')}
                stubs={answer.payloads}
                title="The query failed"
              />
              {answer.payloads.length === 0 ? (
                <p className={styles['note']}>
                  The worker’s SDK reported no details. The query may not exist.
                </p>
              ) : null}
            </>
          ) : answer.payloads.length === 0 ? (
            <p className={styles['note']}>The query returned nothing.</p>
          ) : (
            answer.payloads.map((stub) => <PayloadBlock key={stub.ref} stub={stub} title="Result" />)
          )}
        </PayloadsProvider>
      );
    }
  }
}

/** Explains why a query has no answer. */
export function NoAnswer({ failure }: { failure: ApiFailure }) {
  const noWorker = failure.code === 'no_worker';
  return (
    <Notice
      severity={noWorker ? 'warning' : 'error'}
      icon={noWorker ? <Unplug size={14} /> : <CircleAlert size={14} />}
      title={noWorker ? 'No worker answered' : 'The query could not be run'}
    >
      {failure.message}
    </Notice>
  );
}
