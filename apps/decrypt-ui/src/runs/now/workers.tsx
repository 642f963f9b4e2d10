import { useQuery } from '@tanstack/react-query';
import { escapeInvisible, type RunTaskQueue } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events';
import { useId } from 'react';
import { useServices } from '../../session/services.tsx';
import { formatCount, plural } from '../../ui/format/number.ts';
import { Table } from '../../ui/page/table.tsx';
import { Moment } from '../../ui/text/moment.tsx';
import { useRun } from '../run/run-context.tsx';
import { workersQuery } from './api.ts';
import styles from './now.module.css';

/**
 * The workers that poll the run's task queues. The workers are shown without a click, because listing them
 * runs no query.
 */
export function Workers() {
  const { api } = useServices();
  const { address, open } = useRun();
  const { data, error } = useQuery({ ...workersQuery(api, address), enabled: open });
  return (
    <section className={styles['section']} aria-labelledby="workers">
      <h3 id="workers">Workers</h3>
      {!open ? (
        <p className="t2">The run is closed. It needs a worker only to answer queries.</p>
      ) : error ? (
        <p role="alert">{error.message}</p>
      ) : data === undefined ? (
        <p className="t2" role="status">
          Loading the workers…
        </p>
      ) : data.taskQueues.length === 0 ? (
        <p className="t2">This server may not read task queues from Temporal.</p>
      ) : (
        data.taskQueues.map((queue) => <Queue key={`${queue.kind} ${queue.name}`} queue={queue} />)
      )}
    </section>
  );
}

const kinds = { workflow: 'workflow tasks', activity: 'activities' } as const;

function Queue({ queue: { name, kind, pollers, polling, waiting, workers = [] } }: { queue: RunTaskQueue }) {
  const id = useId();
  const more = pollers - workers.length;
  const limited = workers.some(({ ratePerSecond }) => ratePerSecond !== undefined);
  return (
    <div className={styles['queue']}>
      <h4 id={id}>
        <span className="mono">{escapeInvisible(name)}</span> <span className="t3">for {kinds[kind]}</span>
      </h4>
      <p className="t2">
        {polling ? plural(pollers, 'worker') : <span className={styles['absent']}>No worker is polling</span>}
        {waiting > 0 ? ` · ${plural(waiting, 'task')} waiting` : ''}
      </p>
      {workers.length > 0 ? (
        <Table
          headingId={id}
          className={styles['workers']}
          columns={['Worker', 'Last poll', ...(limited ? ['Limit'] : []), 'Build']}
        >
          {workers.map(({ identity, lastPoll, ratePerSecond, buildId, deployment }) => {
            const polled = millisOf(lastPoll);
            return (
              <tr key={identity}>
                <td className="mono">{escapeInvisible(identity)}</td>
                <td>{polled === undefined ? '' : <Moment at={polled} />}</td>
                {limited ? (
                  <td>{ratePerSecond === undefined ? '' : `${formatCount(ratePerSecond)} per second`}</td>
                ) : null}
                <td className="mono">
                  {[deployment, buildId].flatMap((text) => (text ? escapeInvisible(text) : [])).join(' ')}
                </td>
              </tr>
            );
          })}
        </Table>
      ) : null}
      {more > 0 ? <p className="t3">{plural(more, 'more worker')}</p> : null}
    </div>
  );
}
