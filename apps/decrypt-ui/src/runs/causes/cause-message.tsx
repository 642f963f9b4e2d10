import { type CauseMessage, escapeInvisible } from '@temporal-kms/codec-api';
import { MaskedField } from '../../payloads/mask.tsx';
import { ReasonIcon } from '../../payloads/reason-icon.tsx';
import { reasonText } from '../../payloads/reasons.ts';
import styles from './causes.module.css';

interface MessageProps {
  readonly message: CauseMessage;
  /** If the message is readable, this text is shown in its place. */
  readonly text?: string | undefined;
}

/** A failure's message on one line, a mask if the message is locked, or why it cannot be decrypted. */
export function MessageLine({ message, text }: MessageProps) {
  if (message.status === 'locked') return <MaskedField width={88} label="Message locked" />;
  if (message.status === 'unreadable') {
    const { title, tone, icon } = reasonText(message.reason);
    return (
      <span className={styles['reason']} data-outcome={tone} data-reason={message.reason}>
        <ReasonIcon name={icon} /> {title}
      </span>
    );
  }
  const line = (text ?? message.text).trimStart().split('\n', 1)[0] ?? '';
  return line === '' ? <span className="t3">no message</span> : <>{escapeInvisible(line)}</>;
}
