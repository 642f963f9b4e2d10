import { escapeInText, type PayloadRef, type PayloadStub, type ReasonCode } from '@temporal-kms/codec-api';
import { clsx } from 'clsx';
import { formatBytes } from '../ui/format/number.ts';
import { JsonLine } from './code-view.tsx';
import { Mask } from './mask.tsx';
import styles from './payload-cell.module.css';
import { isUnreadable, reasonOf, storedBytes } from './payload-keys.ts';
import { type PayloadView, useFindings, usePayload } from './payloads-context.tsx';
import { ReasonIcon } from './reason-icon.tsx';
import { reasonText } from './reasons.ts';
import { jsonInline } from './value/json-text.ts';
import type { PayloadValue } from './value/payload-value.ts';

/** Maximum length of the text in a row, in characters. */
const PREVIEW = 160;

interface PayloadCellProps {
  readonly payload: PayloadRef;
  readonly stub: PayloadStub | undefined;
  /** `words`: shows text written for people, such as a summary, without quotes. */
  readonly as?: 'value' | 'words';
}

/**
 * A payload on one line. Shows a mask until the payload is decoded, and then the beginning of the value, or
 * why the payload cannot be decrypted.
 */
export function PayloadCell({ payload, stub, as = 'value' }: PayloadCellProps) {
  const view = usePayload(payload, stub);
  return <PayloadLine view={view} stub={stub} as={as} />;
}

interface PayloadLineProps {
  readonly view: PayloadView;
  readonly stub: PayloadStub | undefined;
  readonly as?: 'value' | 'words';
}

/** Like `PayloadCell`, for a payload whose state the caller already has. */
export function PayloadLine({ view, stub, as = 'value' }: PayloadLineProps) {
  const findings = useFindings();
  switch (view.status) {
    case 'readable': {
      const remark = stub && reasonOf(stub, findings);
      // The plaintext contains only a reference to the value, so a preview would not help.
      if (remark === 'external_reference')
        return <Unreadable reason={remark} bytes={stub && storedBytes(stub)} />;
      if (remark === undefined || isUnreadable(remark)) return <Preview value={view.value} as={as} />;
      return (
        <span className={styles['warned']} data-tip={reasonText(remark).title} data-reason={remark}>
          <ReasonIcon name={reasonText(remark).icon} />
          <Preview value={view.value} as={as} />
        </span>
      );
    }
    case 'unreadable':
      return <Unreadable reason={view.reason} bytes={stub && storedBytes(stub)} />;
    case 'stored':
      return stub ? <StoredLine stub={stub} /> : null;
    // A banner explains failed requests, so rows do not repeat the message.
    case 'failed':
      return <Mask bytes={stub ? storedBytes(stub) : 0} />;
    default:
      return <Mask bytes={stub ? storedBytes(stub) : 0} state={view.status} />;
  }
}

/** A payload in external storage, which only the inspector reads. */
function StoredLine({ stub }: { stub: PayloadStub }) {
  return (
    <span className={clsx(styles['reason'], 't2')} data-stored="">
      <span className={styles['why']}>
        <ReasonIcon name="elsewhere" />
        <span className="ellipsis">Stored in {escapeInText(stub.stored?.bucket ?? '')}</span>
      </span>
      {stub.stored?.bytes === undefined ? null : (
        <span className={styles['size']}>{formatBytes(stub.stored.bytes)}</span>
      )}
    </span>
  );
}

function Unreadable({ reason, bytes }: { reason: ReasonCode; bytes: number | undefined }) {
  const { title, tone, icon } = reasonText(reason);
  return (
    <span className={styles['reason']} data-outcome={tone} data-reason={reason}>
      <span className={styles['why']}>
        <ReasonIcon name={icon} />
        <span className="ellipsis">{title}</span>
      </span>
      {bytes === undefined ? null : <span className={styles['size']}>{formatBytes(bytes)}</span>}
    </span>
  );
}

function Preview({ value, as }: { value: PayloadValue; as: 'value' | 'words' }) {
  switch (value.kind) {
    case 'empty':
      return <span className={clsx('t3', styles['shown'])}>empty</span>;
    case 'bytes':
      return (
        <span className={clsx('t2 ellipsis', styles['shown'])}>
          {value.messageType ?? 'binary'}, {formatBytes(value.bytes.length)}
        </span>
      );
    case 'text':
      return <span className={clsx('mono ellipsis', styles['shown'])}>{firstLine(value.text)}</span>;
    default:
      if (as === 'words' && typeof value.value === 'string') {
        return <span className={clsx('t2 ellipsis', styles['shown'])}>{firstLine(value.value)}</span>;
      }
      return (
        <span className={clsx(styles['json'], 'ellipsis', styles['shown'])}>
          <JsonLine tokens={jsonInline(value.value, PREVIEW)} />
        </span>
      );
  }
}

const firstLine = (text: string) => escapeInText(text.trimStart().slice(0, PREVIEW).split('\n', 1)[0] ?? '');
