import { useQuery } from '@tanstack/react-query';
import { escapeInvisible, type PayloadStub, type RunTaskQueue } from '@temporal-kms/codec-api';
import { Ban, ChevronRight, CirclePause, RotateCcw, TriangleAlert, Unplug } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { millisOf } from '@temporal-kms/histories/events';
import { failureChain, headline } from '@temporal-kms/histories/failures';
import { FailurePanel } from '../../payloads/failure/failure-panel.tsx';
import { Button } from '../../ui/controls/button.tsx';
import { formatTicking } from '../../ui/format/duration.ts';
import { formatCount, plural } from '../../ui/format/number.ts';
import { formatMoment } from '../../ui/format/time.ts';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { useNow } from '../../ui/use-now.ts';
import { useRunsApi } from '../api.ts';
import { pendingByGroup } from '../events/describe-group.ts';
import { SummaryCell } from '../history/summary-cell.tsx';
import { taskQueuesQuery } from '../queries.ts';
import { RunAnchor } from '../run-link.tsx';
import { useRun } from '../run/run-context.tsx';
import { type RunAlert, runAlerts } from './alerts.ts';
import styles from './run-alerts.module.css';

interface SelectProps {
  readonly onSelect: (eventId: number) => void;
}

/** What needs attention about the run as a whole, a line for each. */
export function RunAlerts({ onSelect }: SelectProps) {
  const { description, follow, open } = useRun();
  const { events } = follow.history;
  const taskQueues = useTaskQueues();
  const alerts = useMemo(
    () => runAlerts({ description, events, open, taskQueues }),
    [description, events, open, taskQueues],
  );
  if (alerts.length === 0) return null;
  return (
    <ul className={styles['alerts']} aria-label="Alerts">
      {alerts.map((alert) => (
        <li key={alert.kind === 'noPollers' ? queueId(alert.queue) : alert.kind}>
          <Alert alert={alert} onSelect={onSelect} />
        </li>
      ))}
    </ul>
  );
}

function Alert({ alert, onSelect }: SelectProps & { alert: RunAlert }) {
  const { address } = useRun();
  const since = useMoment();
  const pollText = usePollText();
  switch (alert.kind) {
    case 'taskFailure':
      return <TaskFailure alert={alert} onSelect={onSelect} />;
    case 'retries':
      return <Retries {...alert} onSelect={onSelect} />;
    case 'noPollers':
      return (
        <Line outcome="paused" icon={<Unplug size={14} />} title="No worker polls">
          <QueueName queue={alert.queue} />. {pollText(alert.queue)}
        </Line>
      );
    case 'paused':
      return (
        <Line outcome="paused" icon={<CirclePause size={14} />} title="Paused">
          {facts(since(alert.at), alert.by && `by ${alert.by}`, alert.reason)}
        </Line>
      );
    case 'cancelRequested':
      return (
        <Line
          outcome="canceled"
          icon={<Ban size={14} />}
          title="Cancellation requested"
          action={<ToEvent eventId={alert.eventId} onSelect={onSelect} />}
        >
          {facts(since(alert.at), alert.by && `by ${alert.by}`, alert.reason)}
        </Line>
      );
    default: {
      const { runId } = alert;
      return (
        <Line outcome="neutral" icon={<RotateCcw size={14} />} title="This run was reset">
          It continues as{' '}
          <RunAnchor run={{ ...address, runId }} className="mono">
            {runId}
          </RunAnchor>
        </Line>
      );
    }
  }
}

/** Workflow tasks that fail again and again: the run makes no progress until its code or its worker is corrected. */
function TaskFailure({
  alert,
  onSelect,
}: SelectProps & { alert: Extract<RunAlert, { kind: 'taskFailure' }> }) {
  const since = useMoment();
  const { event, failure, cause, attempt } = alert;
  return (
    <FailureAlert
      title="Workflow task fails"
      failure={failure}
      stubs={event?.payloads ?? []}
      eventId={event?.eventId}
      onSelect={onSelect}
    >
      {facts(
        cause,
        `attempt ${attempt}`,
        alert.since === undefined ? undefined : `since ${since(alert.since)}`,
      )}
      . The run makes no progress until a task completes.
    </FailureAlert>
  );
}

/** An activity or a Nexus operation that fails again and again. */
function Retries({ work, others, onSelect }: SelectProps & Extract<RunAlert, { kind: 'retries' }>) {
  const { description, follow } = useRun();
  const { groups } = follow.history;
  const now = useNow(true);
  const eventId = useMemo(() => pendingByGroup(groups, [work]).keys().next().value, [groups, work]);
  const { attempt, maximumAttempts, nextAttemptAt } = work;
  const wait = nextAttemptAt === undefined ? 0 : nextAttemptAt - now;
  return (
    <FailureAlert
      title={`${work.name} fails`}
      failure={work.lastFailure}
      stubs={description.payloads}
      eventId={eventId}
      onSelect={onSelect}
    >
      {facts(
        `attempt ${formatCount(attempt)}${maximumAttempts === undefined ? '' : ` of ${formatCount(maximumAttempts)}`}`,
        wait > 0 ? `retries in ${formatTicking(wait + 999)}` : undefined,
        others === 0
          ? undefined
          : `and ${formatCount(others)} more ${others === 1 ? 'fails' : 'fail'}, see Pending`,
      )}
    </FailureAlert>
  );
}

interface FailureAlertProps extends SelectProps {
  readonly title: string;
  readonly failure: unknown;
  readonly stubs: readonly PayloadStub[];
  readonly eventId: number | undefined;
  readonly children: ReactNode;
}

/** What fails, with the message, and the causes on request. */
function FailureAlert({ title, failure, stubs, eventId, onSelect, children }: FailureAlertProps) {
  const [shown, setShown] = useState(false);
  const level = headline(failureChain(failure));
  return (
    <>
      <Line
        outcome="failed"
        icon={<TriangleAlert size={14} />}
        title={title}
        message={level ? <SummaryCell summary={{ kind: 'failure', level, outcome: 'failed' }} /> : null}
        action={
          <>
            {level ? (
              <Button look="ghost" size="small" aria-expanded={shown} onClick={() => setShown(!shown)}>
                <ChevronRight size={12} className={shown ? styles['open'] : undefined} />
                Failure
              </Button>
            ) : null}
            <ToEvent eventId={eventId} onSelect={onSelect} />
          </>
        }
      >
        {children}
      </Line>
      {shown ? (
        <div className={styles['failure']}>
          <FailurePanel
            failure={failure}
            stubs={stubs}
            note={eventId === undefined ? undefined : `event ${eventId}`}
            showCode
          />
        </div>
      ) : null}
    </>
  );
}

const none: readonly RunTaskQueue[] = [];

/** The task queues on which the run depends. A paused run needs no worker. */
function useTaskQueues(): readonly RunTaskQueue[] {
  const api = useRunsApi();
  const { address, description, open } = useRun();
  const enabled = open && !address.file && description.workflow.status === 'Running';
  return useQuery({ ...taskQueuesQuery(api, address), enabled }).data?.taskQueues ?? none;
}

const queueId = ({ kind, name }: RunTaskQueue) => `${kind} ${name}`;

function QueueName({ queue: { name, kind } }: { queue: RunTaskQueue }) {
  return (
    <>
      the task queue <span className="mono">{escapeInvisible(name)}</span>
      {kind === 'activity' ? ' for activities' : ''}
    </>
  );
}

/** When a worker last polled, and which tasks wait until a worker starts. */
function usePollText(): (queue: RunTaskQueue) => string {
  const since = useMoment();
  return ({ kind, lastPoll, waiting }) => {
    const polled = lastPoll === undefined ? undefined : since(millisOf(lastPoll));
    const tasks =
      kind === 'workflow' ? plural(waiting, 'workflow task') : plural(waiting, 'activity', 'activities');
    return [
      polled === undefined
        ? 'None has polled it in the last five minutes.'
        : `The last poll was at ${polled}.`,
      waiting === 0
        ? 'Its next task will wait.'
        : `${tasks} ${waiting === 1 ? 'waits' : 'wait'} for a worker.`,
    ].join(' ');
  };
}

function useMoment(): (millis: number | undefined) => string | undefined {
  const format = useTimeFormat();
  return (millis) => (millis === undefined ? undefined : formatMoment(millis, format));
}

const facts = (...parts: readonly (string | undefined)[]) => parts.filter(Boolean).join(', ');

function ToEvent({ eventId, onSelect }: SelectProps & { eventId: number | undefined }) {
  if (eventId === undefined) return null;
  return (
    <Button look="ghost" size="small" onClick={() => onSelect(eventId)}>
      Event {eventId}
    </Button>
  );
}

interface LineProps {
  readonly outcome: 'failed' | 'paused' | 'canceled' | 'neutral';
  readonly icon: ReactNode;
  readonly title: string;
  /** The message of a failure. */
  readonly message?: ReactNode;
  readonly action?: ReactNode;
  readonly children: ReactNode;
}

function Line({ outcome, icon, title, message, action, children }: LineProps) {
  return (
    <div className={styles['line']} data-outcome={outcome}>
      <span className={styles['icon']} aria-hidden="true">
        {icon}
      </span>
      <p>
        <span className="strong">{title}</span>{' '}
        {message ? <span className={styles['message']}>{message}</span> : null}{' '}
        <span className="t2">{children}</span>
      </p>
      <span className={styles['action']}>{action}</span>
    </div>
  );
}
