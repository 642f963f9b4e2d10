import type { PayloadStub } from '@temporal-kms/codec-api';
import { useEffect } from 'react';
import { KeyBadges } from '../../payloads/key-badges.tsx';
import { Mask } from '../../payloads/mask.tsx';
import { keyBadges, storedBytes } from '../../payloads/payload-keys.ts';
import { kindOf } from '../../payloads/payload-kind.ts';
import { useFindings, usePayload } from '../../payloads/payloads-context.tsx';
import { ReasonNote } from '../../payloads/reason-note.tsx';
import { RevealControl } from '../../payloads/reveal-control.tsx';
import { StoredControl } from '../../payloads/view/stored-control.tsx';
import type { PayloadValue } from '../../payloads/value/payload-value.ts';
import styles from './compare-dialog.module.css';

interface ComparedPayloadProps {
  readonly stub: PayloadStub;
  readonly title: string;
  /** Called with the payload's value, or undefined while the payload is not decrypted. */
  readonly onValue: (value: PayloadValue | undefined) => void;
}

/** Shows a payload's key, size and state, and passes its value to the comparison while the payload is open. */
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
          <Mask bytes={storedBytes(stub)} state={view.status} sized={false} />
        ) : null}
        <RevealControl refs={[stub.ref]} title={title} />
      </div>
      <StoredControl stub={stub} view={view} />
      {view.status === 'unreadable' ? (
        <ReasonNote reason={view.reason} stub={stub} detail={view.message} />
      ) : null}
      {view.status === 'failed' ? <p role="alert">Not decoded: {view.message}</p> : null}
    </>
  );
}
