import { escapeInText } from '@temporal-kms/codec-api';
import type { PayloadRef, PayloadStub } from '@temporal-kms/codec-api';
import { Mask } from '../../components/mask.tsx';
import { formatBytes } from '../../model/format/number.ts';
import { jsonInline } from '../../model/json-lines.ts';
import { reasonOf } from '../../model/keys.ts';
import type { PayloadValue } from '../../model/payload-value.ts';
import { reasonTexts } from '../../model/reasons.ts';
import { type PayloadView, useFindings, usePayload } from '../../payloads/payloads-context.tsx';
import { JsonTokens } from './json-tokens.tsx';
import styles from './payload-cell.module.css';
import { ReasonIcon } from './reason-icon.tsx';

/** More than this doesn't fit into any row. */
const PREVIEW = 160;

interface PayloadCellProps {
  readonly payload: PayloadRef;
  readonly stub: PayloadStub | undefined;
  /** `words`: written by people for people, such as a summary. */
  readonly as?: 'value' | 'words';
}

/** A payload in one line: dots until it is open, then its beginning, or why it can't be read. */
export function PayloadCell({ payload, stub, as = 'value' }: PayloadCellProps) {
  const view = usePayload(payload, stub);
  return <PayloadLine view={view} stub={stub} as={as} />;
}

interface PayloadLineProps {
  readonly view: PayloadView;
  readonly stub: PayloadStub | undefined;
  readonly as?: 'value' | 'words';
}

export function PayloadLine({ view, stub, as = 'value' }: PayloadLineProps) {
  const findings = useFindings();
  switch (view.status) {
    case 'open': {
      const remark = stub && reasonOf(stub, findings);
      // What is open there is the reference, not what it refers to.
      if (remark === 'external_reference') return <Unreadable reason={remark} bytes={stub?.bytes} />;
      if (remark !== 'not_encrypted') return <Preview value={view.value} as={as} />;
      return (
        <span className={styles['warned']} title={reasonTexts[remark].short} data-reason={remark}>
          <ReasonIcon name={reasonTexts[remark].icon} />
          <Preview value={view.value} as={as} />
        </span>
      );
    }
    case 'unreadable':
      return <Unreadable reason={view.reason} bytes={stub?.bytes} />;
    case 'unasked':
      return (
        <span className="t3 ellipsis" title={view.message}>
          not read: {view.message}
        </span>
      );
    default:
      return <Mask bytes={stub?.bytes ?? 0} />;
  }
}

function Unreadable({ reason, bytes }: { reason: keyof typeof reasonTexts; bytes: number | undefined }) {
  const { short, tone, icon } = reasonTexts[reason];
  return (
    <span className={styles['reason']} data-outcome={tone} data-reason={reason}>
      <span className={styles['why']}>
        <ReasonIcon name={icon} />
        <span className="ellipsis">{short}</span>
      </span>
      {bytes === undefined ? null : <span className={styles['size']}>{formatBytes(bytes)}</span>}
    </span>
  );
}

function Preview({ value, as }: { value: PayloadValue; as: 'value' | 'words' }) {
  switch (value.kind) {
    case 'empty':
      return <span className={`t3 ${styles['open']}`}>empty</span>;
    case 'bytes':
      return (
        <span className={`t2 ellipsis ${styles['open']}`}>
          {value.messageType ?? 'binary'}, {formatBytes(value.bytes.length)}
        </span>
      );
    case 'text':
      return <span className={`mono ellipsis ${styles['open']}`}>{firstLine(value.text)}</span>;
    default:
      if (as === 'words' && typeof value.value === 'string') {
        return <span className={`t2 ellipsis ${styles['open']}`}>{firstLine(value.value)}</span>;
      }
      return (
        <span className={`${styles['json']} ellipsis ${styles['open']}`}>
          <JsonTokens tokens={jsonInline(value.value, PREVIEW)} />
        </span>
      );
  }
}

const firstLine = (text: string) => escapeInText(text.trimStart().slice(0, PREVIEW).split('\n', 1)[0] ?? '');
