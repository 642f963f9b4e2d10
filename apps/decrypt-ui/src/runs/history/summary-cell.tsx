import { escapeInvisible, type PayloadRef } from '@temporal-kms/codec-api';
import { clsx } from 'clsx';
import type { Label, Outcome } from '@temporal-kms/histories/events';
import type { FailureLevel } from '@temporal-kms/histories/failures';
import { levelText } from '../../payloads/failure/level-text.ts';
import { Mask } from '../../payloads/mask.tsx';
import { PayloadCell, PayloadLine } from '../../payloads/payload-cell.tsx';
import { usePayload } from '../../payloads/payloads-context.tsx';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import { formatTick, formatTicking } from '../../ui/format/duration.ts';
import { formatMoment } from '../../ui/format/time.ts';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import type { Summary } from '../events/describe-group.ts';
import { useRun } from '../run/run-context.tsx';
import styles from './summary-cell.module.css';

interface SummaryCellProps {
  readonly summary: Summary;
  readonly now?: number;
}

/** The most informative fact about a row. */
export function SummaryCell({ summary, now = 0 }: SummaryCellProps) {
  const { stub } = useRun();
  const format = useTimeFormat();
  switch (summary.kind) {
    case 'text':
      return <span className="t3 ellipsis">{summary.text}</span>;
    case 'payload':
      return <PayloadCell payload={summary.ref} stub={stub(summary.ref)} as="words" />;
    case 'failure':
      return <FailureLine {...summary} now={now} />;
    case 'timer': {
      const { duration, firesAt } = summary;
      const fires = firesAt === undefined ? '' : `, fires ${formatMoment(firesAt, format)}`;
      return <span className="t2 ellipsis">{`${formatTick(duration)}${fires}`}</span>;
    }
    default:
      return null;
  }
}

interface FailureLineProps {
  readonly level: FailureLevel;
  readonly outcome: Outcome;
  readonly retryAt?: number;
  readonly last?: boolean;
  readonly now: number;
}

function FailureLine({ level, outcome, retryAt, last, now }: FailureLineProps) {
  const { stub } = useRun();
  const own = level.encoded ? stub(level.encoded) : undefined;
  const view = usePayload(level.encoded, own);
  const wait = retryAt !== undefined && retryAt > now && `retries in ${formatTicking(retryAt - now + 999)}`;
  const lead = last && !wait ? 'last failure: ' : '';
  const colour = outcome === 'pending' ? 'neutral' : outcome;
  const type = level.details[0] || level.kind;
  const message = (text: string | undefined) => (
    <span className={clsx(styles['message'], 'ellipsis')} data-outcome={colour}>
      {lead}
      {text}
    </span>
  );
  const time = wait ? <span className={clsx('t2', styles['wait'])}>{wait}</span> : null;
  if (level.encoded !== undefined && view.status !== 'readable') {
    return (
      <span className={styles['failure']}>
        {/* Temporal stores a failure's type in plaintext. While the message is loading, its mask replaces the type. */}
        {view.status === 'waiting' ? null : message(type)}
        <PayloadLine view={view} stub={own} />
        {time}
      </span>
    );
  }
  const text = message((levelText(level, view).message || type).split('\n', 1)[0]);
  if (!time) return text;
  return (
    <span className={styles['waiting']}>
      {text}
      {time}
    </span>
  );
}

/** Shows a name. Decodes a name inside a payload; if that fails, shows the label's text. */
export function LabelText({ label }: { label: Label }) {
  return label.ref === undefined ? label.text : <PayloadLabel label={label} payload={label.ref} />;
}

function PayloadLabel({ label, payload }: { label: Label; payload: PayloadRef }) {
  const { stub } = useRun();
  const own = stub(payload);
  const view = usePayload(payload, own);
  if (view.status === 'unreadable' || view.status === 'failed') return label.text;
  if (view.status !== 'readable') return <Mask bytes={own?.bytes ?? 0} state={view.status} />;
  if (view.value.kind === 'text') return nameParts(view.value.text);
  if (view.value.kind !== 'json') return label.text;
  const { value } = view.value;
  const found = label.member !== undefined && isRecord(value) ? value[label.member] : value;
  return typeof found === 'string' ? nameParts(found) : label.text;
}

/**
 * Returns a name with its last word as a separate element. Rows truncate a long name before that word,
 * because names often differ only in a number at the end.
 */
function nameParts(text: string) {
  const name = escapeInvisible(text);
  const end = name.lastIndexOf(' ');
  if (end <= 0 || name.length - end > 12) return name;
  return (
    <>
      <span>{name.slice(0, end)}</span>
      <span>{name.slice(end)}</span>
    </>
  );
}
