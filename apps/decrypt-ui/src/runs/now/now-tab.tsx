import { useQuery } from '@tanstack/react-query';
import { escapeInvisible, type Permission } from '@temporal-kms/codec-api';
import { Lock, Radio } from 'lucide-react';
import { lazy, Suspense } from 'react';
import { StackTrace } from '../../payloads/failure/stack-trace-view.tsx';
import { useRunAccess } from '../../payloads/reveal/reveal-choices.ts';
import { useMe } from '../../session/me.tsx';
import { useServices } from '../../session/services.tsx';
import { Button } from '../../ui/controls/button.tsx';
import { Notice } from '../../ui/page/notice.tsx';
import { queryPermissions } from '../query-permissions.ts';
import { useRequested } from '../requested.ts';
import { useRun } from '../run/run-context.tsx';
import { AnswerView, NoAnswer } from './answer-view.tsx';
import { metadataOf, textOf } from './answers.ts';
import { workersQuery } from './api.ts';
import styles from './now.module.css';
import { OtherQuery, QueryRow } from './query-row.tsx';
import { useWhenRevealed, useWorkerQuery } from './use-worker-query.ts';
import type { WorkerQueryState } from './worker-query.ts';
import { Workers } from './workers.tsx';

// `CurrentDetails` is loaded on demand, because few workflows write current details.
const CurrentDetails = lazy(async () => ({
  default: (await import('./current-details.tsx')).CurrentDetails,
}));

/**
 * The Now tab: what only a worker knows about the run. Asks the worker only on a click, because a query runs
 * workflow code.
 */
export function NowTab() {
  const { address } = useRun();
  const { can } = useMe();
  const missing = queryPermissions.filter((permission) => !can(address.namespace, permission));
  return (
    <div className={styles['column']}>
      <h2 className="sr-only">Now</h2>
      {missing.length > 0 ? <Refused missing={missing} /> : <Worker />}
      <Workers />
    </div>
  );
}

function Refused({ missing }: { missing: readonly Permission[] }) {
  const { address } = useRun();
  return (
    <Notice severity="warning" icon={<Lock size={14} />} title="You may not run queries here.">
      Ask the operator of the codec server for{' '}
      {missing.map((permission, index) => (
        <span key={permission}>
          {index > 0 ? ' and ' : ''}
          <code>{permission}</code>
        </span>
      ))}{' '}
      in the namespace {escapeInvisible(address.namespace)}.
    </Notice>
  );
}

const STACK = '__stack_trace';
const ASK_AGAIN = 'Ask the worker again';
const METADATA = '__temporal_workflow_metadata';

function Worker() {
  const { api } = useServices();
  const { address, open } = useRun();
  const { data } = useQuery({ ...workersQuery(api, address), enabled: open });
  const absent = data?.taskQueues.some(({ kind, polling }) => kind === 'workflow' && !polling) === true;
  const metadata = useWorkerQuery();
  const stack = useWorkerQuery();
  const whenRevealed = useWhenRevealed();
  const locked = useRunAccess(address) !== 'open';
  const states = [metadata.state, stack.state];
  const asking = states.some(({ status }) => status === 'asking');
  const asked = states.some(({ status }) => status !== 'idle');
  const failed = states.find((state) => state.status === 'failed');

  function ask() {
    whenRevealed(() => {
      metadata.ask(METADATA);
      stack.ask(STACK);
    });
  }
  useRequested(ask);

  return (
    <>
      <section className={styles['section']}>
        <div className={styles['ask']}>
          <Button
            look={locked ? 'crypto' : asked || absent ? 'quiet' : 'primary'}
            disabled={asking}
            onClick={ask}
          >
            <Radio size={14} />
            {asked ? ASK_AGAIN : 'Ask the worker'}
          </Button>
          <p className="t2">
            {absent
              ? 'No worker is polling the task queue, so none can answer. The audit records each query.'
              : 'A worker replays the run, and returns the run’s current details, call stack and queries. The audit records each query.'}
          </p>
        </div>
        {asking ? (
          <p className={styles['note']} role="status">
            Waiting for a worker…
          </p>
        ) : null}
      </section>
      {failed ? (
        <NoAnswer failure={failed.failure} />
      ) : (
        <>
          <Details state={metadata.state} />
          <CallStack state={stack.state} />
        </>
      )}
      <Queries state={metadata.state} />
    </>
  );
}

function Details({ state }: { state: WorkerQueryState }) {
  const text = state.status === 'answered' ? metadataOf(state).details : '';
  if (text === '') return null;
  return (
    <section className={styles['section']} aria-labelledby="current-details">
      <h3 id="current-details">Current details</h3>
      <Suspense>
        <CurrentDetails text={text} />
      </Suspense>
    </section>
  );
}

function CallStack({ state }: { state: WorkerQueryState }) {
  if (state.status !== 'answered') {
    return state.status === 'hidden' ? (
      <section className={styles['section']}>
        <AnswerView state={state} again={ASK_AGAIN} />
      </section>
    ) : null;
  }
  const text = textOf(state);
  return (
    <section className={styles['section']} aria-labelledby="call-stack">
      <h3 id="call-stack">Call stack</h3>
      {text === undefined ? (
        <AnswerView state={state} />
      ) : text === '' ? (
        <p className="t2">Empty: the workflow code is not waiting for anything.</p>
      ) : (
        <StackTrace text={text} read={() => textOf(state)} decrypted initiallyOpen showCode />
      )}
    </section>
  );
}

function Queries({ state }: { state: WorkerQueryState }) {
  if (state.status !== 'answered') return null;
  const { queries } = metadataOf(state);
  return (
    <section className={styles['section']} aria-labelledby="queries">
      <h3 id="queries">Queries</h3>
      {state.answer.outcome === 'failed' ? <AnswerView state={state} /> : null}
      <ul>
        {queries.map((query) => (
          <QueryRow key={query.name} query={query} />
        ))}
        <OtherQuery />
      </ul>
    </section>
  );
}
