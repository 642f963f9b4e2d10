import { escapeInvisible } from '@temporal-kms/codec-api';
import { Clock, Lock } from 'lucide-react';
import type { ReactNode } from 'react';
import { groupSummary, inputRef, resultRef } from '../../model/describe-group.ts';
import { formatBytes, formatCount, plural } from '../../model/format/number.ts';
import { formatMoment, formatMomentExact } from '../../model/format/time.ts';
import type { RecordedEvent } from '../../model/history.ts';
import { keyBadges, type KeyShare, type KeyUsage } from '../../model/keys.ts';
import { millisOf } from '../../model/values.ts';
import { useFindings } from '../../payloads/payloads-context.tsx';
import { useRun } from '../../run/run-context.tsx';
import { useZone } from '../../state/preferences.ts';
import { SummaryCell } from '../history/summary-cell.tsx';
import { KeyBadges } from '../payload/key-badges.tsx';
import { PayloadCell } from '../payload/payload-cell.tsx';
import styles from './run-facts.module.css';

/** The facts about a run on one line: type, times and sizes, input, result, and the keys that protect it. */
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
  if (first?.eventName !== 'WorkflowExecutionStarted') return null;
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

const closing: ReadonlySet<string> = new Set([
  'WorkflowExecutionCompleted',
  'WorkflowExecutionFailed',
  'WorkflowExecutionTimedOut',
  'WorkflowExecutionCanceled',
  'WorkflowExecutionTerminated',
  'WorkflowExecutionContinuedAsNew',
]);

function Result({ onSelect }: { onSelect: (eventId: number) => void }) {
  const { follow, stub, open } = useRun();
  const findings = useFindings();
  const { groups } = follow.history;
  const last = groups.findLast((group) => closing.has(group.events[0].eventName));
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
  if (event.eventName === 'WorkflowExecutionFailed') return 'failure';
  return event.eventName === 'WorkflowExecutionContinuedAsNew' ? 'next input' : 'result';
}

/** The width of the ribbon in CSS pixels. */
const RIBBON_WIDTH = 90;
/** The least width of a share, so that a single payload among thousands is visible. */
const MIN_SHARE_WIDTH = 4;

/** The shares of the key versions in the run's payloads, with the unreadable payloads last. */
function KeyRibbon({ usage }: { usage: KeyUsage }) {
  const { shares, unreadable } = usage;
  const all = shares.reduce((sum, share) => sum + share.count, 0);
  if (all === 0) return null;
  const title = shares.map(({ label, count }) => `${label}: ${plural(count, 'payload')}`).join('\n');
  return (
    <span className={styles['use']} title={title}>
      <span className={styles['ribbon']} aria-hidden="true">
        {shares.map((share, index) => (
          <i
            key={`${share.label} ${share.tone}`}
            data-tone={share.tone}
            style={{
              width: Math.max((share.count / all) * RIBBON_WIDTH, MIN_SHARE_WIDTH),
              opacity: index === 0 ? 1 : opacity(share),
            }}
          />
        ))}
      </span>
      {shares.map((share) => (
        <span key={`${share.label} ${share.tone}`} className={styles['share']} data-tone={share.tone}>
          {share.tone === 'crypto' ? null : <Trouble tone={share.tone} />}
          {share.label}
          <b>{formatCount(share.count)}</b>
        </span>
      ))}
      {unreadable > 0 ? <span className={styles['unreadable']}>unreadable</span> : null}
    </span>
  );
}

function Trouble({ tone }: Pick<KeyShare, 'tone'>) {
  const Icon = tone === 'retry' ? Clock : Lock;
  return <Icon size={12} aria-hidden="true" />;
}

/** Key versions differ in opacity, because colour means outcome. */
const opacity = ({ tone }: KeyShare) => (tone === 'crypto' ? 0.55 : 1);
