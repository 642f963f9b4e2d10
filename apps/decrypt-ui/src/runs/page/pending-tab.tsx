import { escapeInvisible, type PayloadRef } from '@temporal-kms/codec-api';
import { CircleCheck, CornerDownLeft } from 'lucide-react';
import { useMemo, useState } from 'react';
import { type Outcome, type PendingWork, pendingWork } from '@temporal-kms/histories/events';
import { FailurePanel } from '../../payloads/failure/failure-panel.tsx';
import { sentence } from '../../payloads/value/attribute-words.ts';
import { PayloadBlock } from '../../payloads/view/payload-block.tsx';
import { Button } from '../../ui/controls/button.tsx';
import { formatTick, formatTicking } from '../../ui/format/duration.ts';
import { formatCount } from '../../ui/format/number.ts';
import { formatMoment } from '../../ui/format/time.ts';
import { EmptyState } from '../../ui/page/notice.tsx';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { OutcomeChip } from '../../ui/text/outcome.tsx';
import { pendingByGroup } from '../events/describe-group.ts';
import { SeenFailures } from '../inspector/seen-failures.tsx';
import { RunAnchor } from '../run-link.tsx';
import { earlierFailures, failuresOfWork } from '../run/failures-seen.ts';
import { useRun, useRunNow } from '../run/run-context.tsx';
import styles from './tabs.module.css';

const kinds = { activity: 'Activity', nexus: 'Nexus operation', child: 'Child workflow' } as const;

interface PendingTabProps {
  readonly onSelect: (eventId: number) => void;
}

/** Number of items rendered at first, because a run may have thousands. The user can request more. */
const FIRST_ITEMS = 50;

/** The Pending tab: activities, Nexus operations and children in progress, with attempts, failures and heartbeats. */
export function PendingTab({ onSelect }: PendingTabProps) {
  const { description, follow, open } = useRun();
  const { groups } = follow.history;
  const now = useRunNow();
  const [shown, setShown] = useState(FIRST_ITEMS);
  const work = useMemo(() => troubledFirst(pendingWork(description)), [description]);
  const eventIds = useMemo(
    () => new Map([...pendingByGroup(groups, work)].map(([groupId, item]) => [item, groupId] as const)),
    [groups, work],
  );
  if (work.length === 0) {
    return (
      <EmptyState icon={<CircleCheck size={16} />} title="Nothing is pending">
        {open
          ? 'No activity, Nexus operation or child workflow is in progress. Pending timers are in the history.'
          : 'The run is closed.'}
      </EmptyState>
    );
  }
  return (
    <>
      {work.slice(0, shown).map((item) => (
        <Pending
          key={`${item.kind} ${item.id}`}
          work={item}
          now={now}
          eventId={eventIds.get(item)}
          onSelect={onSelect}
        />
      ))}
      {work.length > shown ? (
        <Button className={styles['more']} onClick={() => setShown(shown + FIRST_ITEMS)}>
          Show more of the {formatCount(work.length)}
        </Button>
      ) : null}
    </>
  );
}

const isTroubled = ({ lastFailure, paused }: PendingWork) => lastFailure !== undefined || paused;

/** Puts failed and paused work first, and keeps the server's order otherwise. */
function troubledFirst(work: readonly PendingWork[]): PendingWork[] {
  return [...work.filter(isTroubled), ...work.filter((item) => !isTroubled(item))];
}

interface PendingProps extends PendingTabProps {
  readonly work: PendingWork;
  readonly now: number;
  /** The history event that started the work. */
  readonly eventId: number | undefined;
}

function Pending({ work, now, eventId, onSelect }: PendingProps) {
  const { address, description, failuresSeen } = useRun();
  const format = useTimeFormat();
  const { outcome, text } = stateOf(work);
  const stub = (ref: PayloadRef) => description.payloads.find((candidate) => candidate.ref === ref);
  const facts = [
    ['Attempt', work.attempt > 0 ? attempts(work) : undefined],
    // While an activity waits for a retry, Temporal reports the time of the next attempt as the scheduled
    // time.
    [
      'Scheduled',
      work.scheduledAt && work.scheduledAt < (work.nextAttemptAt ?? Infinity)
        ? formatMoment(work.scheduledAt, format)
        : undefined,
    ],
    ['Last started', work.lastStartedAt && `${formatTicking(now - work.lastStartedAt)} ago`],
    ['Last ended', work.lastEndedAt && `${formatTicking(now - work.lastEndedAt)} ago`],
    ['Last heartbeat', work.lastHeartbeatAt && `${formatTicking(now - work.lastHeartbeatAt)} ago`],
    ['Next attempt', work.nextAttemptAt && nextAttempt(work.nextAttemptAt - now)],
    ['Waits between attempts', work.retryInterval && formatTick(work.retryInterval)],
    ['Gives up', work.expiresAt && formatMoment(work.expiresAt, format)],
    ['Paused by', work.pausedBy],
    ['Reason', work.pauseReason],
    ['Blocked', work.blocked],
    ['Endpoint', work.endpoint],
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
        {work.cancelRequested ? <OutcomeChip outcome="canceled">Cancellation requested</OutcomeChip> : null}
        {work.child ? (
          <RunAnchor run={{ namespace: address.namespace, ...work.child }}>
            {escapeInvisible(work.child.workflowId)}
          </RunAnchor>
        ) : null}
        {eventId === undefined ? null : (
          <Button look="ghost" size="small" onClick={() => onSelect(eventId)}>
            <CornerDownLeft size={12} />
            Event {eventId}
          </Button>
        )}
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
        <div>
          {work.lastFailure === undefined ? null : (
            <FailurePanel failure={work.lastFailure} stubs={description.payloads} title="Last failure" />
          )}
          <SeenFailures failures={earlierFailures(failuresOfWork(failuresSeen, work), work)} />
        </div>
      </div>
    </article>
  );
}

const attempts = ({ attempt, maximumAttempts }: PendingWork) =>
  maximumAttempts === undefined ? `${attempt}, no maximum` : `${attempt} of ${maximumAttempts}`;

const nextAttempt = (millis: number) => (millis > 0 ? `in ${formatTicking(millis + 999)}` : 'due');

function stateOf(work: PendingWork): { outcome: Outcome; text: string } {
  if (work.paused) return { outcome: 'paused', text: 'Paused' };
  if (work.kind === 'child') return { outcome: 'running', text: 'Running' };
  if (work.state === 'STARTED') {
    return work.attempt > 1
      ? { outcome: 'pending', text: 'Retrying' }
      : { outcome: 'running', text: 'Running' };
  }
  if (work.lastFailure !== undefined) return { outcome: 'pending', text: 'Backing off' };
  return { outcome: 'pending', text: sentence(work.state) };
}
