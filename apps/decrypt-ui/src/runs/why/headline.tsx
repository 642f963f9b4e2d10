import type { Finding, Message } from '@temporal-kms/histories/why';
import { Mask } from '../../payloads/mask.tsx';
import { ReasonIcon } from '../../payloads/reason-icon.tsx';
import { reasonText } from '../../payloads/reasons.ts';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { useRun } from '../run/run-context.tsx';
import styles from './why-card.module.css';
import type { Readings } from './use-readings.ts';
import { breadcrumb, factsOf, leadsWithCause } from './why-text.ts';

const SEPARATOR = ' · ';

const hasText = (message: Message): boolean => message.status !== 'readable' || message.text.trim() !== '';

interface HeadlineProps extends Pick<Readings, 'lockOf'> {
  readonly finding: Finding;
  readonly now: number;
}

/** A finding on one line: the root message, then its type, where and when it happened, and the failures around it. */
export function Headline({ finding, now, lockOf }: HeadlineProps) {
  const format = useTimeFormat();
  const { cause, title } = finding;
  const facts = factsOf(finding, { now, format });
  const around = breadcrumb(finding);
  return (
    <>
      {leadsWithCause(finding) ? null : <span className="strong">{title}</span>}
      {cause ? (
        <>
          {leadsWithCause(finding) ? null : SEPARATOR}
          {hasText(cause.message) ? (
            <>
              <MessageText message={cause.message} lockOf={lockOf} />
              {SEPARATOR}
            </>
          ) : null}
          <span className={styles['type']}>
            {cause.timeout === undefined ? cause.type : `${cause.type} (${cause.timeout})`}
          </span>
        </>
      ) : null}
      {[''].concat(facts).join(SEPARATOR)}
      {around ? (
        <span className={styles['around']} data-tip={around}>
          {SEPARATOR}
          {around}
        </span>
      ) : null}
    </>
  );
}

interface MessageTextProps extends Pick<Readings, 'lockOf'> {
  readonly message: Message;
  /** Whether to show all lines of the message, not only the first. */
  readonly whole?: boolean;
}

/** A failure's message, a mask if the message is locked, or why it cannot be decrypted. */
export function MessageText({ message, lockOf, whole = false }: MessageTextProps) {
  const { stub } = useRun();
  if (message.status === 'readable') {
    const text = whole ? message.text.trimEnd() : message.text.trimStart().split('\n', 1)[0];
    return text ? <span className="strong">{text}</span> : null;
  }
  if (message.status === 'locked')
    return <Mask bytes={stub(message.ref)?.bytes ?? 0} state={lockOf(message.ref) ?? 'waiting'} />;
  const { title, tone, icon } = reasonText(message.reason);
  return (
    <span className={styles['reason']} data-outcome={tone} data-reason={message.reason}>
      <ReasonIcon name={icon} /> {title}
    </span>
  );
}
