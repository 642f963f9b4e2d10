import type { PayloadStub } from '@temporal-kms/codec-api';
import { useEffect } from 'react';
import { keyBadges } from '../../model/keys.ts';
import type { PayloadValue } from '../../model/payload-value.ts';
import { useFindings, usePayload } from '../../payloads/payloads-context.tsx';
import { KeyBadges } from '../payload/key-badges.tsx';
import { Mask } from '../payload/mask.tsx';
import { kindOf } from '../payload/payload-kind.ts';
import { ReasonNote } from '../payload/reason-note.tsx';
import { RevealControl } from '../reveal/reveal-control.tsx';
import styles from './compare-dialog.module.css';

interface ComparedPayloadProps {
  readonly stub: PayloadStub;
  readonly title: string;
  /** Called with the value of the payload; undefined while the payload is not decrypted. */
  readonly onValue: (value: PayloadValue | undefined) => void;
}

/** Key, size and state of a payload, and its value for the comparison while it is open. */
export function ComparedPayload({ stub, title, onValue }: ComparedPayloadProps) {
  const view = usePayload(stub.ref, stub);
  const findings = useFindings();
  const value = view.status === 'readable' ? view.value : undefined;
  useEffect(() => {
    if (!value) return undefined;
    onValue(value);
    return () => onValue(undefined);
  }, [value, onValue]);
  return (
    <>
      <div className={styles['facts']}>
        <KeyBadges badges={keyBadges([stub], findings)} />
        <span className="t3">{kindOf(view, stub)}</span>
        {view.status === 'locked' || view.status === 'refused' || view.status === 'waiting' ? (
          <Mask bytes={stub.bytes} state={view.status} />
        ) : null}
        <RevealControl refs={[stub.ref]} title={title} />
      </div>
      {view.status === 'unreadable' ? (
        <ReasonNote reason={view.reason} stub={stub} detail={view.message} />
      ) : null}
      {view.status === 'failed' ? <p role="alert">Not decoded: {view.message}</p> : null}
    </>
  );
}
