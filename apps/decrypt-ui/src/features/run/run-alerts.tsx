import { useQuery } from '@tanstack/react-query';
import { escapeInvisible, type RunTaskQueue } from '@temporal-kms/codec-api';
import { Ban, ChevronRight, CirclePause, RotateCcw, TriangleAlert, Unplug } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { taskQueuesQuery } from '../../api/queries.ts';
import { Button } from '../../components/button.tsx';
import { plural } from '../../model/format/number.ts';
import { formatMoment } from '../../model/format/time.ts';
import { type RunAlert, runAlerts } from '../../model/run-alerts.ts';
import { useRun } from '../../run/run-context.tsx';
import { useTimeFormat } from '../../state/preferences.ts';
import { useServices } from '../../state/services.tsx';
import { RunAnchor } from '../links/run-link.tsx';
import { FailureView } from '../payload/failure-view.tsx';
import styles from './run-alerts.module.css';

interface RunAlertsProps {
  readonly onSelect: (eventId: number) => void;
}

/** What needs attention about the run as a whole, a line for each. */
export function RunAlerts({ onSelect }: RunAlertsProps) {
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
        <li key={alert.kind === 'noPollers' ? `${alert.queue.kind} ${alert.queue.name}` : alert.kind}>
          <Alert alert={alert} onSelect={onSelect} />
        </li>
      ))}
    </ul>
  );
}

function Alert({ alert, onSelect }: RunAlertsProps & { alert: RunAlert }) {
  const { address } = useRun();
  const since = useMoment();
  switch (alert.kind) {
    case 'taskFailure':
      return <TaskFailure alert={alert} onSelect={onSelect} />;
    case 'noPollers':
      return <NoPollers alert={alert} />;
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
}: RunAlertsProps & { alert: Extract<RunAlert, { kind: 'taskFailure' }> }) {
  const [shown, setShown] = useState(false);
  const since = useMoment();
  const { event, failure, cause, attempt } = alert;
  return (
    <>
      <Line
        outcome="failed"
        icon={<TriangleAlert size={14} />}
        title="Workflow task fails"
        action={
          <>
            {failure === undefined ? null : (
              <Button look="ghost" size="small" aria-expanded={shown} onClick={() => setShown(!shown)}>
                <ChevronRight size={12} className={shown ? styles['open'] : undefined} />
                Failure
              </Button>
            )}
            <ToEvent eventId={event?.eventId} onSelect={onSelect} />
          </>
        }
      >
        {facts(
          cause,
          `attempt ${attempt}`,
          alert.since === undefined ? undefined : `since ${since(alert.since)}`,
        )}
        . The run makes no progress until a task completes.
      </Line>
      {shown && event ? (
        <div className={styles['failure']}>
          <FailureView failure={failure} stubs={event.payloads} note={`event ${event.eventId}`} />
        </div>
      ) : null}
    </>
  );
}

const none: readonly RunTaskQueue[] = [];

/** The task queues on which the run depends. A paused run needs no worker. */
function useTaskQueues(): readonly RunTaskQueue[] {
  const { api } = useServices();
  const { address, description, open } = useRun();
  const enabled = open && !address.file && description.workflow.status === 'Running';
  return useQuery({ ...taskQueuesQuery(api, address), enabled }).data?.taskQueues ?? none;
}

/** A task queue that no worker polls: its tasks wait until a worker starts. */
function NoPollers({ alert: { queue, lastPoll } }: { alert: Extract<RunAlert, { kind: 'noPollers' }> }) {
  const since = useMoment();
  const { name, kind, waiting } = queue;
  const tasks =
    kind === 'workflow' ? plural(waiting, 'workflow task') : plural(waiting, 'activity', 'activities');
  return (
    <Line outcome="paused" icon={<Unplug size={14} />} title="No worker polls">
      the task queue <span className="mono">{escapeInvisible(name)}</span>
      {kind === 'activity' ? ' for activities' : ''}
      {lastPoll === undefined
        ? ', and none has in the last five minutes.'
        : `; the last poll was at ${since(lastPoll)}.`}{' '}
      {waiting === 0
        ? 'Its next task will wait.'
        : `${tasks} ${waiting === 1 ? 'waits' : 'wait'} for a worker.`}
    </Line>
  );
}

function useMoment(): (millis: number | undefined) => string | undefined {
  const format = useTimeFormat();
  return (millis) => (millis === undefined ? undefined : formatMoment(millis, format));
}

const facts = (...parts: readonly (string | undefined)[]) => parts.filter(Boolean).join(', ');

function ToEvent({ eventId, onSelect }: RunAlertsProps & { eventId: number | undefined }) {
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
  readonly action?: ReactNode;
  readonly children: ReactNode;
}

function Line({ outcome, icon, title, action, children }: LineProps) {
  return (
    <div className={styles['line']} data-outcome={outcome}>
      <span className={styles['icon']} aria-hidden="true">
        {icon}
      </span>
      <p>
        <span className="strong">{title}</span> <span className="t2">{children}</span>
      </p>
      <span className={styles['action']}>{action}</span>
    </div>
  );
}
