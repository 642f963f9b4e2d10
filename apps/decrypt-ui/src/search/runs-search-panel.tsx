import { escapeInvisible } from '@temporal-kms/codec-api';
import { Lock, LogIn, ShieldCheck, X } from 'lucide-react';
import { type KeyboardEvent, useEffect, useLayoutEffect, useRef } from 'react';
import { LockButton } from '../payloads/reveal/lock-button.tsx';
import { useServices, useSessionState } from '../session/services.tsx';
import { createSearchApi } from './api.ts';
import { tip } from '../ui/commands/commands.ts';
import { useCommands } from '../ui/commands/registry.ts';
import { Button } from '../ui/controls/button.tsx';
import { MatchCase, SearchField } from '../ui/controls/search-field.tsx';
import { formatCount, plural } from '../ui/format/number.ts';
import { EmptyState } from '../ui/page/notice.tsx';
import { FoundRuns, type RunsOfList } from './found-runs.tsx';
import { useRunsSearch, useRunsSearchState } from './use-runs-search.ts';
import styles from './runs-search-panel.module.css';
import type { RunsSearchProgress } from './runs-search.ts';
import { searchRuns } from './search-runs.ts';
import { useSearchAccess } from './search-access.ts';
import { SearchNote, SearchProgress } from './search-progress.tsx';

interface RunsSearchPanelProps extends RunsOfList {
  readonly namespace: string;
  /** The list's visibility query, without relative times. */
  readonly query: string;
  /** Number of runs that match the query; undefined if unknown. */
  readonly total: number | undefined;
  /** Moves the focus back to the list. */
  readonly onLeave: () => void;
}

/** A panel that searches for text in the decrypted payloads of all runs in the list. */
export function RunsSearchPanel({ namespace, query, total, onLeave, ...list }: RunsSearchPanelProps) {
  const { api } = useServices();
  const runsSearch = useRunsSearch();
  const { text, caseSensitive, search, found } = useRunsSearchState();
  const requests = searchRuns(runsSearch, createSearchApi(api));
  const panel = useRef<HTMLElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const runs = { namespace, query };
  const { status, until, permitted } = useSearchAccess({ namespace }, `the payloads of ${runsOf(total)}`);
  const allowed = status !== 'refused';
  const isOfList = search === undefined || (search.namespace === namespace && search.query === query);
  const expired = useSessionState().status === 'expired';

  // On a small screen the whole page scrolls. Scrolls until the panel fills the page.
  useLayoutEffect(() => {
    panel.current?.scrollIntoView({ block: 'end' });
  }, []);

  // Runs before the next keystroke: the user may already have typed into the field of `RunsSearchLoading`.
  useLayoutEffect(() => {
    // When the user goes back from a run, the results are still there, and the list has the focus.
    const { search: before, text: typed } = runsSearch.store.getState();
    if (before !== undefined) return;
    field.current?.focus();
    field.current?.setSelectionRange(typed.length, typed.length);
  }, [runsSearch]);

  useCommands({ 'search.runs': () => field.current?.select() });

  function leave() {
    runsSearch.clear();
    onLeave();
  }

  function start() {
    if (text.trim() !== '') permitted((justification) => requests.start(runs, justification));
  }

  useEffect(() => {
    if (runsSearch.takeEntered()) start();
  });

  function keyDown(event: KeyboardEvent) {
    if (event.key === 'Enter' && allowed) {
      if (search === undefined || !isOfList) start();
      else if (search.status !== 'running' && search.status !== 'complete') requests.resume();
    } else if (event.key === 'Escape') {
      event.preventDefault();
      if (search?.status === 'running') runsSearch.stop();
      else leave();
    }
  }

  return (
    <aside ref={panel} className={styles['panel']} aria-label="Search in payloads">
      <div className={styles['head']}>
        <div className={styles['bar']}>
          <SearchField
            ref={field}
            label="Text in the payloads of all runs"
            placeholder="Text in decrypted payloads"
            value={text}
            disabled={!allowed}
            onChange={(next) => runsSearch.setText(next)}
            onKeyDown={keyDown}
          >
            <MatchCase on={caseSensitive} onChange={(on) => runsSearch.setCaseSensitive(on)} />
          </SearchField>
          <Button
            look="ghost"
            icon
            aria-label="Close the search"
            {...tip('inspector.close', 'Close')}
            onClick={leave}
          >
            <X size={14} />
          </Button>
        </div>
        {!allowed ? null : search === undefined || !isOfList ? (
          <Offer total={total} again={!isOfList} disabled={text.trim() === ''} onStart={start} />
        ) : (
          <Status
            search={search}
            hits={countHits(found)}
            found={found.length}
            total={total}
            onContinue={(given) => requests.resume(given)}
          />
        )}
        {search && until !== undefined ? (
          <p className={styles['hiding']}>
            <LockButton namespace={namespace} size="small" text="The matches are hidden in" until={until} />
          </p>
        ) : null}
      </div>
      {allowed ? null : (
        <EmptyState
          icon={<Lock size={16} />}
          title={`You may not search in the payloads of ${escapeInvisible(namespace)}`}
        >
          Ask the operator of the codec server for the permission <code>search</code>.
        </EmptyState>
      )}
      {expired && found.length > 0 ? (
        <EmptyState icon={<LogIn size={16} />} title="The results are hidden until you sign in again">
          The search continues then.
        </EmptyState>
      ) : found.length > 0 && search ? (
        <FoundRuns found={found} search={search} {...list} />
      ) : null}
      {search?.status === 'complete' && found.length === 0 && isOfList ? <Nothing search={search} /> : null}
      {allowed ? <SearchNote audited="each run" /> : null}
    </aside>
  );
}

const countHits = (found: readonly { readonly hits: readonly unknown[] }[]) =>
  found.reduce((sum, { hits }) => sum + hits.length, 0);

function runsOf(total: number | undefined): string {
  if (total === undefined) return 'all runs';
  return total === 1 ? 'the run' : `all ${formatCount(total)} runs`;
}

interface OfferProps {
  readonly total: number | undefined;
  /** Whether the results belong to another list. */
  readonly again: boolean;
  readonly disabled: boolean;
  readonly onStart: () => void;
}

/** Explains the search before it begins. */
function Offer({ total, again, disabled, onStart }: OfferProps) {
  return (
    <div className={styles['offer']}>
      <p className="t2">
        {again ? 'The filter has changed since this search. ' : ''}
        The server decrypts and searches the payloads of {runsOf(total)} that match the filter, in the order
        of the list.
      </p>
      <Button
        look="crypto"
        size="small"
        disabled={disabled}
        data-tip="Search"
        data-tip-key="Enter"
        onClick={onStart}
      >
        {again ? 'Search again' : 'Search'}
      </Button>
    </div>
  );
}

interface StatusProps {
  readonly search: RunsSearchProgress;
  readonly hits: number;
  readonly found: number;
  readonly total: number | undefined;
  readonly onContinue: (justification?: string) => void;
}

function Status({ search, hits, found, total, onContinue }: StatusProps) {
  const runsSearch = useRunsSearch();
  const { status, runs, failed, partial, after } = search;
  // More runs may have started since the count.
  const of = total === undefined ? undefined : Math.max(total, runs);
  return (
    <SearchProgress
      search={search}
      what={`the payloads of ${runsOf(total)}`}
      covered={
        of === undefined || status === 'complete'
          ? plural(runs, 'run')
          : `${formatCount(runs)} of ${plural(of, 'run')}`
      }
      share={of === undefined || of === 0 ? 0 : runs / of}
      canContinue={after !== undefined}
      onStop={() => runsSearch.stop()}
      onContinue={() => onContinue()}
      onJustify={onContinue}
    >
      <span className="strong" role="status">
        {hits === 0
          ? status !== 'complete' && runs > 0
            ? 'No match so far'
            : ''
          : `${plural(hits, 'match', 'matches')} in ${plural(found, 'run')}`}
      </span>
      {failed > 0 ? <span className={styles['left']}>{plural(failed, 'run')} could not be read</span> : null}
      {partial > 0 ? <span className={styles['left']}>{plural(partial, 'run')} searched in part</span> : null}
    </SearchProgress>
  );
}

function Nothing({ search }: { search: RunsSearchProgress }) {
  const { runs, unreadable, failed, partial } = search;
  const isWhole = Object.keys(unreadable).length === 0 && failed === 0 && partial === 0;
  return (
    <EmptyState
      icon={<ShieldCheck size={16} />}
      title={
        runs === 0 ? 'No run matches the filter' : `No payload of ${plural(runs, 'run')} contains this text`
      }
    >
      {isWhole
        ? 'Ids, types and search attributes are not payloads: use the filter of the list for them.'
        : 'Payloads that could not be searched may contain the text.'}
    </EmptyState>
  );
}
