import { useParams } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { Lock } from 'lucide-react';
import type { ReactNode } from 'react';
import { type PayloadLock, usePayloadLock } from '../../payloads/payloads-context.tsx';
import styles from './payload-notice.module.css';

/** A line above the page of a run whose payloads the person may not see: why, and what would change that. */
export function PayloadNotice() {
  const { namespace, runId } = useParams({ strict: false });
  const lock = usePayloadLock();
  if (namespace === undefined || runId === undefined || !lock) return null;
  const { title, text } = texts[lock];
  return (
    <div className={styles['line']} role="status">
      <Lock size={14} aria-hidden="true" />
      <p>
        <span className="strong">{title}</span> <span className="t2">{text(escapeInvisible(namespace))}</span>
      </p>
    </div>
  );
}

interface Text {
  readonly title: string;
  readonly text: (namespace: string) => ReactNode;
}

const texts: Readonly<Record<PayloadLock, Text>> = {
  permission: {
    title: 'You can see metadata, not payloads.',
    text: (namespace) => (
      <>
        Ask the operator of the codec server for the permission <code>decode</code> in {namespace}.
      </>
    ),
  },
  justification: {
    title: 'Payloads are shown with a justification only.',
    text: (namespace) => (
      <>
        {namespace} requires one for each request, which this page cannot send yet. Use Temporal’s CLI with
        the header <code>X-Reveal-Justification</code>.
      </>
    ),
  },
};
