import type { SearchHit } from '@temporal-kms/codec-api';
import { LockOpen, Square } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { tip } from '../../commands/commands.ts';
import { Button } from '../../components/button.tsx';
import { formatBytes, formatCount, plural } from '../../model/format/number.ts';
import type { PayloadSearch } from '../../run/find.ts';
import { useFind, useRun } from '../../run/run-context.tsx';
import { JustificationDialog } from '../reveal/justification.tsx';
import styles from './find-bar.module.css';

/** What the search has covered and found, what it cost, and what the reader can do next. */
export function FindStatus({ count }: { count: number | undefined }) {
  const { scope, term, search, hits } = useFind();
  if (term.trim() === '' && scope === 'names') return null;
  if (scope === 'names') return <NamesStatus count={count} />;
  if (!search) return <Offer />;
  return <PayloadsStatus search={search} hits={hits} />;
}

/** How many payloads a search decrypts, and their bytes. */
function useCost(): string {
  const { tallies } = useRun().follow.history;
  const payloads = tallies.reduce((sum, tally) => sum + tally.count, 0);
  const bytes = tallies.reduce((sum, tally) => sum + tally.bytes, 0);
  return `${plural(payloads, 'payload')}, ${formatBytes(bytes)}`;
}

function NamesStatus({ count }: { count: number | undefined }) {
  const { find } = useRun();
  const cost = useCost();
  if (count === undefined) return null;
  return (
    <div className={styles['status']}>
      <span className="t2">
        {count === 0
          ? 'No name, type, id or worker contains this text. Summaries and other encrypted names are payloads.'
          : 'Found in names, types, ids and workers.'}
      </span>
      <Button
        look={count === 0 ? 'crypto' : 'ghost'}
        size="small"
        {...tip('find.payloads')}
        onClick={() => find.searchPayloads()}
      >
        <LockOpen size={12} />
        Find in decrypted payloads
      </Button>
      <span className="t3">{cost}</span>
    </div>
  );
}

/** Explains a search in payloads before it begins. */
function Offer() {
  const { find } = useRun();
  const { term } = useFind();
  const cost = useCost();
  return (
    <div className={styles['status']}>
      <span className="t2">
        The server decrypts and searches {cost}. The search is recorded in the audit.
      </span>
      <Button
        look="crypto"
        size="small"
        disabled={term.trim() === ''}
        data-tip="Search"
        data-tip-key="Enter"
        onClick={() => find.searchPayloads()}
      >
        Search
      </Button>
    </div>
  );
}

interface PayloadsStatusProps {
  readonly search: PayloadSearch;
  readonly hits: readonly SearchHit[];
}

function PayloadsStatus({ search, hits }: PayloadsStatusProps) {
  const { find } = useRun();
  const { status, of, events, failure } = search;
  const share = of === undefined || of === 0 ? 0 : events / of;
  return (
    <div className={styles['status']} data-status={status}>
      <Progress search={search} hits={hits} />
      {status === 'running' ? (
        <Button
          size="small"
          data-tip="Stop the search"
          data-tip-key="Esc"
          className={styles['action']}
          onClick={() => find.stop()}
        >
          <Square size={10} />
          Stop
        </Button>
      ) : null}
      {status === 'stopped' || status === 'limit' || (status === 'failed' && !isRefused(search)) ? (
        <Button size="small" className={styles['action']} onClick={() => find.resume()}>
          {events > 0 ? 'Continue' : 'Try again'}
        </Button>
      ) : null}
      {failure?.code === 'justification_required' ? <Justification /> : null}
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

const isRefused = ({ failure }: PayloadSearch) =>
  failure?.code === 'forbidden' || failure?.code === 'justification_required';

function Progress({ search, hits }: PayloadsStatusProps) {
  const { status, payloads, bytes, kmsCalls, unreadable, failure, of, events } = search;
  const skipped = Object.values(unreadable).reduce((sum, count) => sum + count, 0);
  const cost = `${plural(kmsCalls, 'Cloud KMS call')}, ${formatBytes(bytes)}`;
  const covered = of === undefined ? '' : ` ${formatCount(events)} of ${formatCount(of)} events,`;
  const parts: ReactNode[] = [];
  if (status === 'failed' && failure) {
    parts.push(
      <span key="failure" className={styles['failure']} role="alert">
        {failure.code === 'forbidden'
          ? 'You may see the metadata of this namespace, but not search its payloads.'
          : failure.code === 'justification_required'
            ? 'This namespace requires a justification.'
            : failure.message}
      </span>,
    );
  } else if (status === 'complete' && hits.length === 0) {
    parts.push(<span key="none">No decrypted payload contains this text.</span>);
  }
  if (payloads > 0 || status === 'running') {
    parts.push(
      <span key="covered" className="t2">
        {status === 'running' || status === 'complete' ? '' : 'Stopped after'}
        {covered} {plural(payloads, 'payload')} searched
      </span>,
      <span key="cost" className="t3">
        {cost}
      </span>,
    );
  }
  if (skipped > 0) {
    parts.push(
      <span key="skipped" className={styles['skipped']}>
        {plural(skipped, 'payload')} could not be searched
      </span>,
    );
  }
  return parts;
}

/** Asks for a justification, where the server refused a search without one. */
function Justification() {
  const { find } = useRun();
  const [asking, setAsking] = useState(true);
  return (
    <>
      <Button look="crypto" size="small" className={styles['action']} onClick={() => setAsking(true)}>
        Give a justification
      </Button>
      {asking ? (
        <JustificationDialog
          title="Search decrypted payloads"
          description="The server decrypts and searches the payloads of this run. This namespace requires a justification."
          action="Search"
          onClose={() => setAsking(false)}
          onSubmit={(justification) => {
            setAsking(false);
            find.searchPayloads(justification);
          }}
        />
      ) : null}
    </>
  );
}
