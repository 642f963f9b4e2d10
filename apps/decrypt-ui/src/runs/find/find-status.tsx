import type { SearchHit } from '@temporal-kms/codec-api';
import { LockOpen } from 'lucide-react';
import { useLayoutEffect } from 'react';
import styles from '../../search/search-progress.module.css';
import { SearchProgress } from '../../search/search-progress.tsx';
import { tip } from '../../ui/commands/commands.ts';
import { Button } from '../../ui/controls/button.tsx';
import { isPayloadTally } from '../../payloads/payload-keys.ts';
import { formatBytes, formatCount, plural } from '../../ui/format/number.ts';
import type { PayloadSearch } from '../run/find-in-run.ts';
import { useFind, useRun } from '../run/run-context.tsx';
import { usePayloadSearch } from './use-payload-search.ts';

/** Shows what the search has covered and found, what the search costs, and what the user can do next. */
export function FindStatus({ count }: { count: number | undefined }) {
  const { scope, term, search, hits } = useFind();
  const stage = scope === 'payloads' ? scope : count && 'found';
  // While the user types in a small window, the status may appear below the window's edge, or grow beyond it.
  useLayoutEffect(() => {
    if (stage !== undefined)
      document.activeElement?.closest('[role="search"]')?.scrollIntoView({ block: 'nearest' });
  }, [stage]);
  if (term.trim() === '' && scope === 'names') return null;
  if (scope === 'names') return <NamesStatus count={count} />;
  if (!search) return <Offer />;
  return <PayloadsStatus search={search} hits={hits} />;
}

/** Returns the number and the total size of the payloads that a search decrypts, as text. */
function useCost(): string {
  const tallies = useRun().follow.history.tallies.filter(isPayloadTally);
  const payloads = tallies.reduce((sum, tally) => sum + tally.count, 0);
  const bytes = tallies.reduce((sum, tally) => sum + tally.bytes, 0);
  return `${plural(payloads, 'payload')}, ${formatBytes(bytes)}`;
}

function NamesStatus({ count }: { count: number | undefined }) {
  const { status, start } = usePayloadSearch();
  const cost = useCost();
  if (count === undefined) return null;
  return (
    <div className={styles['status']}>
      <span className="t2">
        {count === 0
          ? `No name, type, id or worker contains this text.${status === 'refused' ? '' : ' Press Enter to find it in decrypted payloads.'}`
          : 'Found in names, types, ids and workers.'}
      </span>
      {status === 'refused' ? null : (
        <>
          <Button
            look={count === 0 ? 'crypto' : 'ghost'}
            size="small"
            {...tip('find.payloads')}
            onClick={start}
          >
            <LockOpen size={12} />
            Find in decrypted payloads
          </Button>
          <span className="t3">{cost}</span>
        </>
      )}
    </div>
  );
}

/** Explains a search of payloads before it starts. */
function Offer() {
  const { status, start } = usePayloadSearch();
  const { term } = useFind();
  const cost = useCost();
  if (status === 'refused') {
    return (
      <div className={styles['status']}>
        <span className="t2">You may see the metadata of this namespace, but not search its payloads.</span>
      </div>
    );
  }
  return (
    <div className={styles['status']}>
      <span className="t2">
        {status === 'locked'
          ? 'You have locked the payloads; a search shows where they contain the text. '
          : ''}
        The server decrypts and searches {cost}. The search is recorded in the audit
        {status === 'justification' ? ', with the justification that the namespace requires' : ''}.
      </span>
      <Button
        look="crypto"
        size="small"
        disabled={term.trim() === ''}
        data-tip="Search"
        data-tip-key="Enter"
        onClick={start}
      >
        {status === 'justification' ? 'Search…' : 'Search'}
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
  const { resume } = usePayloadSearch();
  const { of, events, after, inRuns } = search;
  const covered = of === undefined ? undefined : `${formatCount(events)} of ${formatCount(of)} events`;
  return (
    <SearchProgress
      search={search}
      what="the payloads of this run"
      covered={covered}
      share={of === undefined || of === 0 ? 0 : events / of}
      canContinue={after !== undefined}
      onStop={() => find.stop()}
      onContinue={resume}
      onJustify={(justification) => find.resume(justification)}
    >
      {inRuns && search.payloads === 0 ? (
        <span className="t2">Found by the search in the payloads of several runs.</span>
      ) : null}
      {search.status === 'complete' && hits.length === 0 ? (
        <span>No decrypted payload contains this text.</span>
      ) : null}
    </SearchProgress>
  );
}
