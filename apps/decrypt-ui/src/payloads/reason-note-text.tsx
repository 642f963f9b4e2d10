import { escapeInvisible, type PayloadStub, reasonClass, type ReasonCode } from '@temporal-kms/codec-api';
import { RefreshCw, Terminal } from 'lucide-react';
import { Button } from '../ui/controls/button.tsx';
import { CopyButton } from '../ui/controls/copy-button.tsx';
import { useFindings, usePayloads } from './payloads-context.tsx';
import { ReasonIcon } from './reason-icon.tsx';
import styles from './reason-note.module.css';
import { explain, remedy } from './explain-reason.ts';
import { reasonText } from './reasons.ts';

export interface ReasonNoteProps {
  readonly reason: ReasonCode;
  readonly stub: PayloadStub;
  /** The server's message. */
  readonly detail?: string | undefined;
}

/** Explains why a payload cannot be decrypted, with which key, whether that can change, and what to do. */
export function ReasonNoteText({ reason, stub, detail }: ReasonNoteProps) {
  const { decoder, place } = usePayloads();
  const findings = useFindings();
  const key = findings.get(stub.ref)?.key ?? stub.key;
  const { title, tone, icon, kind } = reasonText(reason);
  const command = remedy(reason, key);
  const text = explain(reason, {
    ...place(stub.ref).run,
    key,
    encoding: stub.encoding,
    otherNamespace: stub.namespace,
    stored: stub.stored,
  });
  return (
    <div className={styles['note']} data-outcome={tone} data-reason={reason}>
      <span className={styles['icon']}>
        <ReasonIcon name={icon} size={14} />
      </span>
      <div className={styles['text']}>
        <p>
          <span className={styles['short']}>{title}</span> <span className={styles['kind']}>{kind}</span>
        </p>
        <p className="t2">{text}</p>
        {stub.stored && detail ? <p className="t2">{escapeInvisible(detail)}</p> : null}
        <p className={styles['code']} data-tip={detail}>
          {reason}
        </p>
      </div>
      {command ? (
        <CopyButton look="quiet" what="command" text={() => command} glyph={<Terminal size={12} />}>
          Copy command
        </CopyButton>
      ) : reasonClass(reason) === 'retryable' ? (
        <Button size="small" onClick={() => decoder.retry([stub.ref])}>
          <RefreshCw size={12} />
          {stub.stored ? 'Try again' : 'Retry now'}
        </Button>
      ) : reason === 'key_not_found' && key?.name ? (
        <CopyButton look="quiet" what="key name" text={() => key.name ?? ''}>
          Copy name
        </CopyButton>
      ) : stub.stored ? (
        <CopyButton look="quiet" what="object name" text={() => stub.stored?.object}>
          Copy object name
        </CopyButton>
      ) : null}
    </div>
  );
}
