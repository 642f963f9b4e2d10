import { escapeInvisible } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events';
import { Timer } from 'lucide-react';
import { Button } from '../../ui/controls/button.tsx';
import { formatDurationShort } from '../../ui/format/duration.ts';
import { formatCount, plural } from '../../ui/format/number.ts';
import { EmptyState } from '../../ui/page/notice.tsx';
import { Table } from '../../ui/page/table.tsx';
import { useLastFailure } from '../../ui/use-last-failure.ts';
import type { ActivityTimes } from '../indexer/run-times.ts';
import { useRun, useRunNow } from '../run/run-context.tsx';
import { useRunTimes } from '../run/use-run-times.ts';
import { durationOf, placeAmong, useUsualQuery } from '../run/use-usual.ts';
import { DurationChart, durationScale } from './duration-chart.tsx';
import styles from './durations-tab.module.css';

interface DurationsTabProps {
  /** Called to show only the activities of a type in the history. */
  readonly onType: (type: string) => void;
  readonly onSelect: (eventId: number) => void;
}

const right = (head: string) => [head, styles['number']] as const;
const chartHead = ['Each duration, on a logarithmic axis', styles['wide']] as const;

/** The Durations tab. Compares the run with completed runs of its type, and lists its activities by type. */
export function DurationsTab(props: DurationsTabProps) {
  const times = useRunTimes(true);
  return (
    <>
      <Runs />
      {times === undefined ? (
        <p className={styles['section']} role="status">
          Measuring the activities…
        </p>
      ) : times.activities.length === 0 ? (
        <EmptyState icon={<Timer size={16} />} title="No activity has ended">
          The critical path shows where the time of the run went.
        </EmptyState>
      ) : (
        <Activities activities={times.activities} {...props} />
      )}
    </>
  );
}

function Runs() {
  const { address, description } = useRun();
  const { workflow } = description;
  const now = useRunNow();
  const asked = useUsualQuery();
  const { usual, data, refetch } = asked;
  const failure = useLastFailure(asked);
  if (address.file) return null;
  const type = escapeInvisible(workflow.type);
  if (usual === undefined)
    return (
      <section className={styles['section']} aria-labelledby="durations-runs">
        <h2 id="durations-runs">Runs of {type}</h2>
        {failure ? (
          <>
            <p role="alert">The completed runs could not be loaded: {failure.message}</p>
            <Button size="small" onClick={() => void refetch()}>
              Try again
            </Button>
          </>
        ) : data === undefined ? (
          <p role="status">Loading the completed runs…</p>
        ) : (
          <p>Too few completed runs of this type to compare with.</p>
        )}
      </section>
    );
  const { count, shortest, median, p95, longest, all } = usual;
  const took = durationOf(workflow) ?? now - (millisOf(workflow.startTime) ?? now);
  const scale = durationScale([...all, took]);
  return (
    <section className={styles['section']} aria-labelledby="durations-runs">
      <h2 id="durations-runs">
        The last {plural(count, workflow.status === 'Completed' ? 'other completed run' : 'completed run')} of{' '}
        {type}
      </h2>
      <p>
        This run {workflow.closeTime === undefined ? 'has taken' : 'took'} longer than{' '}
        {formatCount(placeAmong(usual, took))} of them.
      </p>
      <Table
        headingId="durations-runs"
        className={styles['table']}
        columns={['This run', ...['Shortest', 'Median', '95th percentile', 'Longest'].map(right), chartHead]}
      >
        <tr>
          <th scope="row">{formatDurationShort(took)}</th>
          {[shortest, median, p95, longest].map((millis, index) => (
            // oxlint-disable-next-line react/no-array-index-key -- a column is identified by its position
            <td key={index} className={styles['number']}>
              {formatDurationShort(millis)}
            </td>
          ))}
          <td className={styles['wide']}>
            <DurationChart marks={all} scale={scale} own={took} />
          </td>
        </tr>
      </Table>
    </section>
  );
}

/** Maximum number of listed types: a workflow can generate any number of type names. */
const MAX_TYPES = 100;

function Activities({ activities, onType, onSelect }: DurationsTabProps & ActivitiesProps) {
  const scale = durationScale(activities.flatMap(({ shortest, longest }) => [shortest, longest]));
  return (
    <section className={styles['section']} aria-labelledby="durations-activities">
      <h2 id="durations-activities">Activities by type</h2>
      <p>From scheduling to completion, including retries and the time between them.</p>
      <Table
        headingId="durations-activities"
        className={styles['table']}
        columns={[
          'Type',
          ...['Ended', 'Failed', 'Open', 'Median', '95th percentile', 'Longest'].map(right),
          chartHead,
        ]}
      >
        {activities.slice(0, MAX_TYPES).map(({ type, count, failed, open, slowest, ...times }) => (
          <tr key={type}>
            <th scope="row">
              <Button look="ghost" size="small" data-tip="Show in the history" onClick={() => onType(type)}>
                {type}
              </Button>
            </th>
            <td className={styles['number']}>{formatCount(count)}</td>
            <td className={styles['number']}>
              {failed === 0 ? '' : <span className={styles['failed']}>{formatCount(failed)}</span>}
            </td>
            <td className={styles['number']}>{open === 0 ? '' : formatCount(open)}</td>
            <td className={styles['number']}>{formatDurationShort(times.median)}</td>
            <td className={styles['number']}>{formatDurationShort(times.p95)}</td>
            <td className={styles['number']}>
              <Button look="ghost" size="small" onClick={() => onSelect(slowest)}>
                {formatDurationShort(times.longest)}
              </Button>
            </td>
            <td className={styles['wide']}>
              <DurationChart marks={times.marks} scale={scale} />
            </td>
          </tr>
        ))}
      </Table>
      {activities.length > MAX_TYPES ? (
        <p>{plural(activities.length - MAX_TYPES, 'faster type')} not shown.</p>
      ) : null}
    </section>
  );
}

interface ActivitiesProps {
  readonly activities: readonly ActivityTimes[];
}
