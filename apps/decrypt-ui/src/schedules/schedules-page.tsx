import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { escapeInvisible, type ScheduleList } from '@temporal-kms/codec-api';
import { at, textAt } from '@temporal-kms/histories/events';
import { CalendarClock, CircleAlert } from 'lucide-react';
import { useEffect } from 'react';
import { RunAnchor } from '../runs/run-link.tsx';
import { Forbidden } from '../session/pages/forbidden.tsx';
import { failureCode } from '../session/server/failure.ts';
import { useServices } from '../session/services.tsx';
import { Button } from '../ui/controls/button.tsx';
import { plural } from '../ui/format/number.ts';
import { formatMoment, zoneLabel } from '../ui/format/time.ts';
import { Footer } from '../ui/page/footer.tsx';
import { EmptyState, Notice } from '../ui/page/notice.tsx';
import { Table } from '../ui/page/table.tsx';
import { useTimeFormat } from '../ui/preferences/preferences.ts';
import { Moment } from '../ui/text/moment.tsx';
import { schedulesQuery } from './api.ts';
import { ScheduleState } from './schedule-state.tsx';
import styles from './schedules.module.css';
import { lastAndNext, specWords } from './spec-words.ts';

const route = getRouteApi('/ns/$namespace/schedules');

/** The read-only page with the schedules of a namespace. */
export function SchedulesPage() {
  const { namespace } = route.useParams();
  const { api } = useServices();
  const { zone } = useTimeFormat();
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(
    schedulesQuery(api, namespace),
  );
  useEffect(() => {
    document.title = escapeInvisible(`Schedules · ${namespace} · temporal-kms`);
  }, [namespace]);
  const retry = () => void refetch();
  if (error && failureCode(error) === 'forbidden') {
    return <Forbidden namespace={namespace} what="schedules" onRetry={retry} />;
  }
  const label = zoneLabel(zone);
  const schedules = data?.pages.flatMap((page) => page.schedules);
  return (
    <>
      <div className={styles['head']}>
        <h1 id="schedules" className={styles['title']}>
          Schedules
        </h1>
      </div>
      <div className={styles['body']}>
        {error ? (
          <Notice
            severity="error"
            icon={<CircleAlert size={14} />}
            title="The schedules could not be loaded"
            action={<Button onClick={retry}>Try again</Button>}
          >
            {error.message}
          </Notice>
        ) : null}
        {schedules === undefined ? (
          error ? null : (
            <p className={styles['section']} role="status">
              Loading the schedules…
            </p>
          )
        ) : schedules.length === 0 ? (
          <EmptyState icon={<CalendarClock size={16} />} title="The namespace has no schedules">
            A schedule starts a workflow at set times.
          </EmptyState>
        ) : (
          <Table
            headingId="schedules"
            className={styles['table']}
            columns={['Schedule', 'Workflow', 'When', 'State', `Last run (${label})`, `Next run (${label})`]}
          >
            {schedules.map((schedule) => (
              <Row key={schedule.scheduleId} namespace={namespace} schedule={schedule} zone={label} />
            ))}
          </Table>
        )}
        {hasNextPage ? (
          <Button disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Show more
          </Button>
        ) : null}
      </div>
      <Footer
        hints={[
          { commands: ['go.workflows'], text: 'workflows' },
          { commands: ['help'], text: 'all keys' },
        ]}
      >
        {schedules ? (
          <span>
            {plural(schedules.length, 'schedule')}
            {hasNextPage ? ' loaded' : ''}
          </span>
        ) : null}
      </Footer>
    </>
  );
}

interface RowProps {
  readonly namespace: string;
  readonly schedule: ScheduleList['schedules'][number];
  /** The label of the time zone in which times are shown. */
  readonly zone: string;
}

function Row({ namespace, zone, schedule: { scheduleId, info } }: RowProps) {
  const format = useTimeFormat();
  const { lastAt, next, run } = lastAndNext(info);
  const paused = at(info, 'paused') === true;
  return (
    <tr>
      <td>
        <Link
          to="/ns/$namespace/schedules/$scheduleId"
          params={{ namespace, scheduleId }}
          className={styles['link']}
        >
          {escapeInvisible(scheduleId)}
        </Link>
      </td>
      <td>{textAt(info, 'workflowType', 'name')}</td>
      <td className={styles['when']}>
        {specWords(at(info, 'spec'), (millis) => formatMoment(millis, format)).join(' · ')}
      </td>
      <td>
        <ScheduleState paused={paused} note={textAt(info, 'notes')} />
      </td>
      <td data-head={`Last run (${zone})`}>
        {lastAt === undefined ? (
          <span className="t3">None</span>
        ) : run ? (
          <RunAnchor run={{ namespace, ...run }}>
            <Moment at={lastAt} />
          </RunAnchor>
        ) : (
          <Moment at={lastAt} />
        )}
      </td>
      <td data-head={`Next run (${zone})`}>
        {next === undefined || paused ? <span className="t3">None</span> : <Moment at={next} />}
      </td>
    </tr>
  );
}
