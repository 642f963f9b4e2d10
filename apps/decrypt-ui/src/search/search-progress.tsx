import { reasonEntries } from '@temporal-kms/codec-api';
import { ShieldCheck } from 'lucide-react';
import type { ReactNode } from 'react';
import { GiveJustification } from '../payloads/reveal/justification.tsx';
import { reasonText } from '../payloads/reasons.ts';
import type { ApiFailure } from '../session/server/failure.ts';
import { Button } from '../ui/controls/button.tsx';
import { StopButton } from '../ui/controls/stop-button.tsx';
import { formatBytes, plural } from '../ui/format/number.ts';
import type { SearchCounts } from './payload-search.ts';
import type { ReadStatus } from './one-at-a-time.ts';
import styles from './search-progress.module.css';

interface SearchProgressProps {
  readonly search: SearchCounts & { readonly status: ReadStatus; readonly failure?: ApiFailure | undefined };
  /** What was searched, for example `12 of 40 events`. */
  readonly covered: string | undefined;
  /** What the search decrypts, for example `the payloads of this run`. */
  readonly what: string;
  /** The share that was searched, from 0 to 1. */
  readonly share: number;
  /** Whether the search can continue where it stopped instead of starting again. */
  readonly canContinue: boolean;
  readonly onStop: () => void;
  readonly onContinue: () => void;
  readonly onJustify: (justification: string) => void;
  /** What the search has found. */
  readonly children?: ReactNode;
}

/**
 * Shows how much a search of decrypted payloads has covered, what the search cost, why it stopped, and what to do next.
 */
export function SearchProgress(props: SearchProgressProps) {
  const { search, what, share, canContinue, onStop, onContinue, onJustify, children } = props;
  const { status, failure } = search;
  const refused = failure?.code === 'forbidden' || failure?.code === 'justification_required';
  const ended = status === 'stopped' || status === 'limit' || (status === 'failed' && !refused);
  return (
    <div className={styles['status']} data-status={status}>
      {status === 'failed' && failure ? (
        <span className={styles['failure']} role="alert">
          {failureText(failure)}
        </span>
      ) : null}
      {children}
      <Covered {...props} />
      {status === 'running' ? (
        <StopButton
          size="small"
          data-tip="Stop the search"
          data-tip-key="Esc"
          className={styles['action']}
          onClick={onStop}
        />
      ) : null}
      {ended ? (
        <Button size="small" className={styles['action']} onClick={onContinue}>
          {canContinue ? 'Continue' : 'Try again'}
        </Button>
      ) : null}
      {failure?.code === 'justification_required' ? (
        <GiveJustification
          size="small"
          className={styles['action']}
          isOpen
          title="Search decrypted payloads"
          description={`The server decrypts and searches ${what}. This namespace requires a justification.`}
          action="Search"
          onSubmit={onJustify}
        />
      ) : null}
      {status === 'running' ? (
        <i
          role="progressbar"
          aria-label="Searching payloads"
          aria-valuenow={Math.round(share * 100)}
          className={styles['progress']}
          style={{ width: `${Math.max(share * 100, 2)}%` }}
        />
      ) : null}
    </div>
  );
}

/**
 * A note below the results, which states that the server has decrypted payloads.
 *
 * @param audited what the audit entries are for
 */
export function SearchNote({ audited }: { audited: string }) {
  return (
    <p className={styles['note']}>
      <ShieldCheck size={14} aria-hidden="true" />
      Decrypted on the server, with an audit entry for {audited}. The text stays out of the address and the
      log.
    </p>
  );
}

function failureText({ code, message }: ApiFailure): string {
  if (code === 'forbidden') return 'You may see the metadata of this namespace, but not search its payloads.';
  return code === 'justification_required' ? 'This namespace requires a justification.' : message;
}

function Covered({ search, covered }: SearchProgressProps) {
  const { status, payloads, bytes, kmsCalls, unreadable } = search;
  const reasons = reasonEntries(unreadable);
  const skipped = reasons.reduce((total, [, count]) => total + count, 0);
  const isWhole = status === 'running' || status === 'complete';
  return (
    <>
      {payloads > 0 || status === 'running' ? (
        <>
          <span className="t2">
            {isWhole ? '' : 'Stopped after '}
            {covered === undefined ? '' : `${covered}, `}
            {plural(payloads, 'payload')} searched
          </span>
          <span className="t3">
            {plural(kmsCalls, 'Cloud KMS call')}, {formatBytes(bytes)}
          </span>
        </>
      ) : null}
      {skipped > 0 ? (
        <span className={styles['skipped']}>
          {plural(skipped, 'payload')} could not be searched:{' '}
          {reasons
            .map(([code, count]) => `${reasonText(code).title}${reasons.length > 1 ? ` (${count})` : ''}`)
            .join(', ')}
        </span>
      ) : null}
    </>
  );
}
