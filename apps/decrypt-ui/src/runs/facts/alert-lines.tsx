import { escapeInvisible, type RunTaskQueue } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events';
import { RotateCcw, Unplug } from 'lucide-react';
import type { ReactNode } from 'react';
import { plural } from '../../ui/format/number.ts';
import { formatMoment } from '../../ui/format/time.ts';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { RunAnchor } from '../run-link.tsx';
import { useRun } from '../run/run-context.tsx';
import styles from './run-alerts.module.css';

export interface AlertLinesProps {
  /** Task queues that no worker polls. */
  readonly queues: readonly RunTaskQueue[];
  readonly resetRunId: string | undefined;
}

/** The lines of `RunAlerts`. */
export function AlertLines({ queues, resetRunId }: AlertLinesProps) {
  const { address } = useRun();
  const pollText = usePollText();
  return (
    <>
      {queues.map((queue) => (
        <Line
          key={`${queue.kind} ${queue.name}`}
          outcome="paused"
          icon={<Unplug size={14} />}
          title="No worker polls"
        >
          <QueueName queue={queue} />. {pollText(queue)}
        </Line>
      ))}
      {resetRunId ? (
        <Line outcome="neutral" icon={<RotateCcw size={14} />} title="This run was reset">
          It continues as{' '}
          <RunAnchor run={{ ...address, runId: resetRunId }} className="mono">
            {resetRunId}
          </RunAnchor>
        </Line>
      ) : null}
    </>
  );
}

function QueueName({ queue: { name, kind } }: { queue: RunTaskQueue }) {
  return (
    <>
      the task queue <span className="mono">{escapeInvisible(name)}</span>
      {kind === 'activity' ? ' for activities' : ''}
    </>
  );
}

/** Returns a function that describes when a worker last polled a queue and which tasks wait for a worker. */
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

interface LineProps {
  readonly outcome: 'paused' | 'neutral';
  readonly icon: ReactNode;
  readonly title: string;
  readonly children: ReactNode;
}

function Line({ outcome, icon, title, children }: LineProps) {
  return (
    <li className={styles['line']} data-outcome={outcome}>
      <span className={styles['icon']} aria-hidden="true">
        {icon}
      </span>
      <p>
        <span className="strong">{title}</span> <span className="t2">{children}</span>
      </p>
    </li>
  );
}
