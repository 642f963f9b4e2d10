import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { escapeInvisible, type PayloadStub, type ScheduleDescription } from '@temporal-kms/codec-api';
import { at, enumAt, listAt, millisAt, numberAt, textAt } from '@temporal-kms/histories/events';
import { clsx } from 'clsx';
import { CalendarX, ChevronLeft, ChevronRight, CircleAlert } from 'lucide-react';
import { type ReactNode, useEffect, useLayoutEffect, useMemo } from 'react';
import type { Payloads } from '../payloads/decoder.ts';
import { PayloadsProvider } from '../payloads/payloads-context.tsx';
import { RevealBar } from '../payloads/reveal/reveal-bar.tsx';
import { usePlaintext, useReveals } from '../payloads/reveal/reveals-context.tsx';
import { sentence } from '../payloads/value/attribute-words.ts';
import { payloadTitle } from '../payloads/value/payload-label.ts';
import { ComparisonProvider, noComparison } from '../payloads/view/comparison.tsx';
import { JsonView } from '../payloads/view/json-view.tsx';
import { PayloadBlock } from '../payloads/view/payload-block.tsx';
import { RunAnchor } from '../runs/run-link.tsx';
import { Forbidden } from '../session/pages/forbidden.tsx';
import type { RunAddress } from '../session/server/addresses.ts';
import { failureCode } from '../session/server/failure.ts';
import { useServices } from '../session/services.tsx';
import { Button, buttonClass } from '../ui/controls/button.tsx';
import { CopyButton } from '../ui/controls/copy-button.tsx';
import { formatCount, plural } from '../ui/format/number.ts';
import { formatMoment, zoneLabel } from '../ui/format/time.ts';
import { Notice } from '../ui/page/notice.tsx';
import { StatePage } from '../ui/page/state-page.tsx';
import { Waiting } from '../ui/page/waiting.tsx';
import { useTimeFormat } from '../ui/preferences/preferences.ts';
import { Moment } from '../ui/text/moment.tsx';
import { scheduleQuery } from './api.ts';
import { createSchedulePayloads } from './schedule-payloads.ts';
import { ScheduleState } from './schedule-state.tsx';
import styles from './schedules.module.css';
import { specWords, startedRun } from './spec-words.ts';

const route = getRouteApi('/ns/$namespace/schedules/$scheduleId');

/**
 * The read-only page of a schedule. Shows which workflow the schedule starts and when, the schedule's runs,
 * and the decrypted arguments.
 */
export function SchedulePage() {
  const { namespace, scheduleId } = route.useParams();
  const { api } = useServices();
  const { data, error, refetch } = useQuery(scheduleQuery(api, namespace, scheduleId));
  useEffect(() => {
    document.title = escapeInvisible(`${scheduleId} · ${namespace} · temporal-kms`);
  }, [scheduleId, namespace]);
  const address = useMemo(
    (): RunAddress => ({ namespace, workflowId: scheduleId, runId: '', schedule: true }),
    [namespace, scheduleId],
  );
  const retry = () => void refetch();
  if (!data && error && failureCode(error) === 'forbidden') {
    return <Forbidden namespace={namespace} what="schedules" onRetry={retry} />;
  }
  if (!data) {
    return error ? (
      <StatePage
        icon={<CalendarX size={18} />}
        title="The schedule could not be loaded"
        actions={<Button onClick={retry}>Try again</Button>}
      >
        <p>{error.message}</p>
      </StatePage>
    ) : (
      <Waiting />
    );
  }
  return (
    <>
      <RevealBar run={address} />
      {error ? (
        <Notice
          severity="error"
          icon={<CircleAlert size={14} />}
          title="The schedule could not be refreshed"
          action={<Button onClick={retry}>Try again</Button>}
        >
          {error.message}
        </Notice>
      ) : null}
      <Schedule key={scheduleId} address={address} schedule={data} />
    </>
  );
}

/** Returns the payloads of a schedule, which the page decrypts while they are in view. */
function useSchedulePayloads(address: RunAddress, stubs: readonly PayloadStub[]): Payloads {
  const { api } = useServices();
  const reveals = useReveals();
  const plaintext = usePlaintext();
  const { payloads, setStubs } = useMemo(
    () => createSchedulePayloads(address, { api, reveals, plaintext }),
    [address, api, reveals, plaintext],
  );
  useLayoutEffect(() => setStubs(stubs), [setStubs, stubs]);
  useEffect(() => () => payloads.decoder.stop(), [payloads]);
  return payloads;
}

/** Reasons why a schedule did not start runs, each with the name of Temporal's counter. */
const missed = [
  ['Missed: outside the catch-up window', 'missedCatchupWindow'],
  ['Skipped: a run was still open', 'overlapSkipped'],
  ['Dropped: the buffer was full', 'bufferDropped'],
] as const;

/** Maximum number of listed running workflows: with the policy “Allow all”, there may be many. */
const MAX_RUNNING = 20;

interface ScheduleProps {
  readonly address: RunAddress;
  readonly schedule: ScheduleDescription;
}

function Schedule({ address, schedule: { details, payloads: stubs } }: ScheduleProps) {
  const { namespace, workflowId } = address;
  const format = useTimeFormat();
  const payloads = useSchedulePayloads(address, stubs);
  const schedule = at(details, 'schedule');
  const info = at(details, 'info');
  const action = at(schedule, 'action', 'startWorkflow');
  const next = listAt(info, 'futureActionTimes').flatMap((time) => millisAt({ time }, 'time') ?? []);
  const paused = at(schedule, 'state', 'paused') === true;
  const overlap = enumAt('SCHEDULE_OVERLAP_POLICY_', schedule, 'policies', 'overlapPolicy');
  const runs = listAt(info, 'recentActions').toReversed();
  const running = listAt(info, 'runningWorkflows').flatMap((execution) => startedRun(execution) ?? []);
  const actionsLeft =
    at(schedule, 'state', 'limitedActions') === true
      ? (numberAt(schedule, 'state', 'remainingActions') ?? 0)
      : undefined;
  const notStarted = missed.flatMap(([name, field]) => {
    const count = numberAt(info, field) ?? 0;
    return count > 0 ? [[name, count] as const] : [];
  });
  return (
    <div className={styles['body']}>
      <div className={styles['head']}>
        <Link
          to="/ns/$namespace/schedules"
          params={{ namespace }}
          className={clsx(buttonClass({ look: 'ghost', icon: true }), styles['back'])}
          aria-label="All schedules"
          data-tip="All schedules"
        >
          <ChevronLeft size={16} />
        </Link>
        <h1 className={styles['title']}>{escapeInvisible(workflowId)}</h1>
        <CopyButton what="schedule id" text={() => workflowId} className={styles['copy']} />
        <ScheduleState paused={paused} note={textAt(schedule, 'state', 'notes')} />
      </div>
      <Section title="When">
        <ul>
          {specWords(at(schedule, 'spec'), (millis) => formatMoment(millis, format)).map((words) => (
            <li key={words}>{words}</li>
          ))}
        </ul>
        <dl className={styles['facts']}>
          <Fact name="Starts">{textAt(action, 'workflowType', 'name')}</Fact>
          <Fact name="Task queue">{textAt(action, 'taskQueue', 'name')}</Fact>
          {overlap === undefined ? null : <Fact name="Overlap policy">{sentence(overlap)}</Fact>}
          {at(schedule, 'policies', 'pauseOnFailure') === true ? (
            <Fact name="After a failed run">Pauses itself</Fact>
          ) : null}
          {actionsLeft === undefined ? null : (
            <Fact name="Remaining actions">{formatCount(actionsLeft)}</Fact>
          )}
        </dl>
        <details>
          <summary>
            <ChevronRight size={14} aria-hidden="true" />
            Raw specification
          </summary>
          <JsonView value={at(schedule, 'spec') ?? {}} label="Specification" decrypted={false} />
        </details>
      </Section>
      <Section title={`Next runs (${zoneLabel(format.zone, next[0])})`}>
        {paused || actionsLeft === 0 || next.length === 0 ? (
          <p className="t2">
            {paused
              ? 'None while the schedule is paused.'
              : actionsLeft === 0
                ? 'None: the schedule has no actions left.'
                : 'None.'}
          </p>
        ) : (
          <ol className={styles['times']}>
            {next.map((millis) => (
              <li key={millis}>
                <Moment at={millis} />
              </li>
            ))}
          </ol>
        )}
      </Section>
      {notStarted.length > 0 ? (
        <Section title="Not started">
          <dl className={styles['facts']}>
            {notStarted.map(([name, count]) => (
              <Fact key={name} name={name}>
                {formatCount(count)}
              </Fact>
            ))}
          </dl>
        </Section>
      ) : null}
      {running.length > 0 ? (
        <Section title="Running">
          <ul>
            {running.slice(0, MAX_RUNNING).map((run) => (
              <li key={run.runId ?? run.workflowId}>
                <RunAnchor run={{ namespace, ...run }}>{escapeInvisible(run.workflowId)}</RunAnchor>
              </li>
            ))}
          </ul>
          {running.length > MAX_RUNNING ? (
            <p className="t3">{plural(running.length - MAX_RUNNING, 'more run')}</p>
          ) : null}
        </Section>
      ) : null}
      <Section title={`Last runs (${zoneLabel(format.zone, millisAt(runs[0], 'actualTime'))})`}>
        {runs.length === 0 ? (
          <p className="t2">None yet.</p>
        ) : (
          <ol className={styles['times']}>
            {runs.map((taken) => {
              const started = millisAt(taken, 'actualTime');
              const run = startedRun(at(taken, 'startWorkflowResult'));
              return (
                <li key={run?.runId ?? textAt(taken, 'actualTime') ?? ''}>
                  {started === undefined ? null : <Moment at={started} />}{' '}
                  {run ? (
                    <RunAnchor run={{ namespace, ...run }}>{escapeInvisible(run.workflowId)}</RunAnchor>
                  ) : (
                    <span className="t3">No run recorded</span>
                  )}
                </li>
              );
            })}
          </ol>
        )}
      </Section>
      <ComparisonProvider render={noComparison}>
        <PayloadsProvider payloads={payloads}>
          {stubs.map((stub) => (
            <PayloadBlock key={stub.ref} stub={stub} title={titleOf(stub, stubs)} />
          ))}
        </PayloadsProvider>
      </ComparisonProvider>
    </div>
  );
}

const inside = (path: string) => path.replace('schedule.action.startWorkflow.', '');

/** Names a payload as on a run's page, without the part of the path that leads to the schedule's action. */
const titleOf = (stub: ScheduleDescription['payloads'][number], all: ScheduleDescription['payloads']) => {
  const title = payloadTitle(
    { ...stub, path: inside(stub.path) },
    all.map((each) => ({ ...each, path: inside(each.path) })),
  );
  return stub.path.startsWith('memo.') ? `${title} (of the schedule)` : title;
};

const Section = ({ title, children }: { title: string; children: ReactNode }) => (
  <section className={styles['section']}>
    <h2>{title}</h2>
    {children}
  </section>
);

const Fact = ({ name, children }: { name: string; children: ReactNode }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);
