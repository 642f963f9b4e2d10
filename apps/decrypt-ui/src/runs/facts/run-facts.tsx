import { escapeInvisible } from '@temporal-kms/codec-api';
import { Clock, Lock, LockOpen } from 'lucide-react';
import type { ReactNode } from 'react';
import { millisOf } from '@temporal-kms/histories/events';
import { type KeyShare, type KeyUsage, UNRECORDED_VERSION } from '../../payloads/payload-keys.ts';
import { formatBytes, formatCount, plural } from '../../ui/format/number.ts';
import { formatClock, formatDay, formatMomentExact } from '../../ui/format/time.ts';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { Moment } from '../../ui/text/moment.tsx';
import { useRun } from '../run/run-context.tsx';
import styles from './run-facts.module.css';
import { type RunValue, RunValues } from './run-values.tsx';

interface RunFactsProps {
  readonly expanded: boolean;
  readonly onToggle: (clicked: RunValue) => void;
  /** Selects the next payload that Temporal stores in plaintext. */
  readonly onPlaintext: () => void;
}

/** Facts about a run: type, times, sizes, input, result, and the keys that protect it. */
export function RunFacts({ expanded, onToggle, onPlaintext }: RunFactsProps) {
  const { description, follow, usage } = useRun();
  const { workflow } = description;
  const { events } = follow.history;
  return (
    <div className={styles['facts']}>
      <span className={styles['type']} data-tip={escapeInvisible(workflow.type)}>
        {escapeInvisible(workflow.type)}
      </span>
      <Fact name="queue" tip={escapeInvisible(workflow.taskQueue)}>
        {escapeInvisible(workflow.taskQueue)}
      </Fact>
      <Times />
      <Fact name="events">{formatCount(Math.max(workflow.historyLength, events.length))}</Fact>
      <Fact name="size">{formatBytes(workflow.historySizeBytes)}</Fact>
      <span className={styles['line']} />
      <RunValues expanded={expanded} onToggle={onToggle} />
      <span className={styles['encryption']}>
        <Plaintext count={usage.plaintext} onNext={onPlaintext} />
        <KeyRibbon usage={usage} />
      </span>
    </div>
  );
}

function Fact({ name, tip, children }: { name: string; tip?: string; children: ReactNode }) {
  return (
    <span className={styles['fact']} data-fact={name} data-tip={tip}>
      <span className={styles['name']}>{name}</span>
      {children}
    </span>
  );
}

/** When the run started and, if it has ended, when it ended. */
function Times() {
  const { workflow } = useRun().description;
  const format = useTimeFormat();
  const started = millisOf(workflow.startTime);
  const closed = millisOf(workflow.closeTime);
  if (started === undefined) return null;
  if (closed === undefined) {
    return (
      <Fact name="started">
        <Moment at={started} />
      </Fact>
    );
  }
  const sameDay = formatDay(started, format) === formatDay(closed, format);
  return (
    <Fact name="ran" tip={`${formatMomentExact(started, format)} – ${formatMomentExact(closed, format)}`}>
      <span className="t3">{formatDay(started, format)}</span> {formatClock(started, format)} –{' '}
      {sameDay ? null : <span className="t3">{formatDay(closed, format)} </span>}
      {formatClock(closed, format)}
    </Fact>
  );
}

/** Shows how many payloads are stored in plaintext instead of ciphertext. */
function Plaintext({ count, onNext }: { count: number; onNext: () => void }) {
  if (count === 0) return null;
  return (
    <button
      type="button"
      className={styles['plaintext']}
      onClick={onNext}
      data-tip="Go to the next payload that is not encrypted"
      aria-label={`${formatCount(count)} plaintext, go to the next`}
    >
      <LockOpen size={12} aria-hidden="true" />
      {formatCount(count)} plaintext
    </button>
  );
}

/** The ribbon's width in CSS pixels. */
const RIBBON_WIDTH = 90;
/** The minimum width of a share, so that a single payload among thousands is visible. */
const MIN_SHARE_WIDTH = 4;

/** A bar with the share of each key version in the run's payloads, unreadable payloads last. */
function KeyRibbon({ usage }: { usage: KeyUsage }) {
  const { shares, unreadable } = usage;
  const all = shares.reduce((sum, share) => sum + share.count, 0);
  if (all === 0) return null;
  const tip = shares.map(({ label, count }) => `${wordsOf(label)}: ${plural(count, 'payload')}`).join('\n');
  return (
    <span className={styles['use']} data-tip={tip}>
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
          {share.label === UNRECORDED_VERSION ? 'no version' : share.label}
          <b>{formatCount(share.count)}</b>
        </span>
      ))}
      {unreadable > 0 ? <span className={styles['unreadable']}>unreadable</span> : null}
    </span>
  );
}

const wordsOf = (label: string) =>
  label === UNRECORDED_VERSION ? 'The format does not record the key version' : label;

function Trouble({ tone }: Pick<KeyShare, 'tone'>) {
  const Icon = tone === 'retry' ? Clock : Lock;
  return <Icon size={12} aria-hidden="true" />;
}

/** Returns a key version's opacity. Versions do not differ in colour, because colours stand for outcomes. */
const opacity = ({ tone }: KeyShare) => (tone === 'crypto' ? 0.55 : 1);
