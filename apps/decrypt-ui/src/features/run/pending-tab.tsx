import { CircleCheck } from 'lucide-react';
import { EmptyState } from '../../components/notice.tsx';
import { OutcomeChip } from '../../components/outcome.tsx';
import { formatTicking } from '../../model/format/duration.ts';
import { formatMoment } from '../../model/format/time.ts';
import type { Outcome } from '../../model/outcome.ts';
import { type PendingWork, pendingWork } from '../../model/pending.ts';
import { useRun } from '../../run/run-context.tsx';
import { useNow } from '../../state/clock.ts';
import { useZone } from '../../state/preferences.ts';
import { FailureView } from '../payload/failure-view.tsx';
import { PayloadBlock } from '../payload/payload-block.tsx';
import styles from './tabs.module.css';

const kinds = { activity: 'Activity', nexus: 'Nexus operation', child: 'Child workflow' } as const;

/** The Pending tab: the activities, Nexus operations and children in progress, with attempts, failures and heartbeats. */
export function PendingTab() {
  const { description, open } = useRun();
  const now = useNow(open);
  const work = pendingWork(description);
  if (work.length === 0) {
    return (
      <EmptyState icon={<CircleCheck size={16} />} title="Nothing is pending">
        {open
          ? 'No activity, Nexus operation or child workflow is in progress. Pending timers are in the history.'
          : 'The run is closed.'}
      </EmptyState>
    );
  }
  return work.map((item) => <Pending key={`${item.kind} ${item.id}`} work={item} now={now} />);
}

function Pending({ work, now }: { work: PendingWork; now: number }) {
  const { description } = useRun();
  const zone = useZone();
  const { outcome, text } = stateOf(work);
  const stub = (ref: string) => description.payloads.find((candidate) => candidate.ref === ref);
  const facts = [
    ['Attempt', work.attempt > 0 ? attempts(work) : undefined],
    ['Scheduled', work.scheduledAt && formatMoment(work.scheduledAt, zone)],
    ['Last started', work.lastStartedAt && `${formatTicking(now - work.lastStartedAt)} ago`],
    ['Last heartbeat', work.lastHeartbeatAt && `${formatTicking(now - work.lastHeartbeatAt)} ago`],
    ['Next attempt', work.nextAttemptAt && nextAttempt(work.nextAttemptAt - now)],
    ['Worker', work.worker],
  ] as const;
  return (
    <article className={styles['item']}>
      <header className={styles['head']}>
        <h2>{work.name}</h2>
        <OutcomeChip outcome={outcome}>{text}</OutcomeChip>
        <span className="t3">
          {kinds[work.kind]} {work.id}
        </span>
      </header>
      <dl className={styles['facts']}>
        {facts.map(([name, value]) =>
          value === undefined ? null : (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
      </dl>
      <div className={styles['parts']}>
        {work.heartbeat.flatMap((ref, index) => {
          const own = stub(ref);
          return own
            ? [<PayloadBlock key={ref} stub={own} title={index === 0 ? 'Heartbeat' : `Heartbeat ${index}`} />]
            : [];
        })}
        {work.lastFailure === undefined ? null : (
          <FailureView failure={work.lastFailure} stubs={description.payloads} title="Last failure" />
        )}
      </div>
    </article>
  );
}

const attempts = ({ attempt, maximumAttempts }: PendingWork) =>
  maximumAttempts === undefined ? String(attempt) : `${attempt} of ${maximumAttempts}`;

const nextAttempt = (millis: number) => (millis > 0 ? `in ${formatTicking(millis + 999)}` : 'now');

function stateOf(work: PendingWork): { outcome: Outcome; text: string } {
  if (work.paused) return { outcome: 'paused', text: 'Paused' };
  if (work.kind === 'child') return { outcome: 'running', text: 'Running' };
  if (work.state === 'STARTED') {
    return work.attempt > 1
      ? { outcome: 'pending', text: 'Retrying' }
      : { outcome: 'running', text: 'Running' };
  }
  if (work.lastFailure !== undefined) return { outcome: 'pending', text: 'Backing off' };
  return {
    outcome: 'pending',
    text: work.state.charAt(0) + work.state.slice(1).toLowerCase().replaceAll('_', ' '),
  };
}
