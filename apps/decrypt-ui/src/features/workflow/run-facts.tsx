import { escapeInvisible } from '@temporal-kms/codec-api';
import type { ReactNode } from 'react';
import { groupSummary, inputRef, resultRef } from '../../model/describe-group.ts';
import { eventType } from '../../model/event-kinds.ts';
import type { RecordedEvent } from '../../model/history.ts';
import { formatBytes, formatCount } from '../../model/format/number.ts';
import { formatMoment, formatMomentExact } from '../../model/format/time.ts';
import { keyBadges } from '../../model/keys.ts';
import { millisOf } from '../../model/values.ts';
import { KeyBadges } from '../../components/key-badges.tsx';
import { useFindings } from '../../payloads/payloads-context.tsx';
import { useZone } from '../../state/preferences.ts';
import { PayloadCell } from '../payload/payload-cell.tsx';
import { KeyRibbon } from './key-ribbon.tsx';
import { useRun } from './run-context.tsx';
import styles from './run-facts.module.css';
import { SummaryCell } from './summary-cell.tsx';

/** The run in a line: what it is, what went in, what came out, and which keys protect it. */
export function RunFacts({ onSelect }: { onSelect: (eventId: number) => void }) {
  const { description, follow, usage } = useRun();
  const zone = useZone();
  const { workflow } = description;
  const started = millisOf(workflow.startTime);
  const { events } = follow.history;
  return (
    <div className={styles['facts']}>
      <span className={styles['type']} title={escapeInvisible(workflow.type)}>
        {escapeInvisible(workflow.type)}
      </span>
      <Fact name="queue">{escapeInvisible(workflow.taskQueue)}</Fact>
      {started === undefined ? null : (
        <Fact name="started">
          <span title={formatMomentExact(started, zone)}>{formatMoment(started, zone)}</span>
        </Fact>
      )}
      <Fact name="events">{formatCount(Math.max(workflow.historyLength, events.length))}</Fact>
      <Fact name="size">{formatBytes(workflow.historySizeBytes)}</Fact>
      <span className={styles['line']} />
      <Input onSelect={onSelect} />
      <Result onSelect={onSelect} />
      <span className="spacer" />
      <KeyRibbon usage={usage} />
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <span className={styles['fact']} data-fact={name}>
      <span className={styles['name']}>{name}</span>
      {children}
    </span>
  );
}

function Input({ onSelect }: { onSelect: (eventId: number) => void }) {
  const { follow, stub } = useRun();
  const findings = useFindings();
  const [first] = follow.history.events;
  if (first?.eventType !== eventType.workflowStarted) return null;
  const ref = inputRef(first);
  const own = ref ? stub(ref) : undefined;
  return (
    <button type="button" className={styles['value']} onClick={() => onSelect(first.eventId)}>
      <span className={styles['name']}>input</span>
      {ref ? <PayloadCell payload={ref} stub={own} /> : <span className="t3">empty</span>}
      {own ? <KeyBadges badges={keyBadges([own], findings)} /> : null}
    </button>
  );
}

const closing: ReadonlySet<number> = new Set([
  eventType.workflowCompleted,
  eventType.workflowFailed,
  eventType.workflowTimedOut,
  eventType.workflowCanceled,
  eventType.workflowTerminated,
  eventType.workflowContinued,
]);

function Result({ onSelect }: { onSelect: (eventId: number) => void }) {
  const { follow, stub, open } = useRun();
  const findings = useFindings();
  const { groups } = follow.history;
  const last = groups.findLast((group) => closing.has(group.events[0].eventType));
  if (!last) {
    return (
      <span className={styles['fact']}>
        <span className={styles['name']}>result</span>
        {open ? 'still running' : '–'}
      </span>
    );
  }
  const [event] = last.events;
  const ref = resultRef(event);
  const own = ref ? stub(ref) : undefined;
  return (
    <button type="button" className={styles['value']} onClick={() => onSelect(event.eventId)}>
      <span className={styles['name']}>{resultName(event)}</span>
      {ref ? <PayloadCell payload={ref} stub={own} /> : <SummaryCell summary={groupSummary(last)} />}
      {own ? <KeyBadges badges={keyBadges([own], findings)} /> : null}
    </button>
  );
}

function resultName(event: RecordedEvent): string {
  if (event.eventType === eventType.workflowFailed) return 'failure';
  return event.eventType === eventType.workflowContinued ? 'next input' : 'result';
}
