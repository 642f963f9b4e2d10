import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { escapeInvisible, type PayloadStub, type ScheduleDescription } from '@temporal-kms/codec-api';
import { at, enumAt, listAt, millisAt, textAt } from '@temporal-kms/histories/events';
import { CalendarX } from 'lucide-react';
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
import { Button } from '../ui/controls/button.tsx';
import { CopyButton } from '../ui/controls/copy-button.tsx';
import { formatMoment } from '../ui/format/time.ts';
import { StatePage } from '../ui/page/state-page.tsx';
import { Waiting } from '../ui/page/waiting.tsx';
import { useTimeFormat } from '../ui/preferences/preferences.ts';
import { Moment } from '../ui/text/moment.tsx';
import { scheduleQuery } from './api.ts';
import { createSchedulePayloads } from './schedule-payloads.ts';
import { ScheduleState } from './schedule-state.tsx';
import styles from './schedules.module.css';
import { specWords } from './spec-words.ts';

const route = getRouteApi('/ns/$namespace/schedules/$scheduleId');

/** The page of one schedule, read only: when it starts what, its runs, and its decrypted arguments. */
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
      <Schedule key={scheduleId} address={address} schedule={data} />
    </>
  );
}

/** The payloads of a schedule, which the page decrypts while they are in view. */
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
  return (
    <div className={styles['body']}>
      <div className={styles['head']}>
        <h1 className={styles['title']}>{escapeInvisible(workflowId)}</h1>
        <CopyButton what="schedule id" text={() => workflowId} />
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
          {overlap === undefined || overlap === 'UNSPECIFIED' ? null : (
            <Fact name="If the last run is still open">{sentence(overlap)}</Fact>
          )}
        </dl>
        <details>
          <summary>Specification as Temporal stores it</summary>
          <JsonView value={at(schedule, 'spec') ?? {}} label="Specification" decrypted={false} />
        </details>
      </Section>
      <Section title="Next runs">
        {paused || next.length === 0 ? (
          <p className="t2">{paused ? 'None while the schedule is paused.' : 'None.'}</p>
        ) : (
          <ol>
            {next.map((millis) => (
              <li key={millis}>
                <Moment at={millis} />
              </li>
            ))}
          </ol>
        )}
      </Section>
      <Section title="Last runs">
        {runs.length === 0 ? (
          <p className="t2">None yet.</p>
        ) : (
          <ol>
            {runs.map((run) => {
              const started = millisAt(run, 'actualTime');
              const id = at(run, 'startWorkflowResult', 'workflowId');
              const runId = textAt(run, 'startWorkflowResult', 'runId');
              return typeof id === 'string' ? (
                <li key={runId ?? id}>
                  {started === undefined ? null : <Moment at={started} />}{' '}
                  <RunAnchor run={{ namespace, workflowId: id, ...(runId && { runId }) }}>
                    {escapeInvisible(id)}
                  </RunAnchor>
                </li>
              ) : null;
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

/** Names a payload as in a run: the path begins inside the action, or with the schedule's own memo. */
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
