import { Link } from '@tanstack/react-router';
import { escapeInvisible, type SearchHit, type WorkflowSummary } from '@temporal-kms/codec-api';
import { type ReactNode, useMemo, useState } from 'react';
import { millisOf } from '@temporal-kms/histories/events';
import type { RunAddress } from '../session/server/addresses.ts';
import { useCommands } from '../ui/commands/registry.ts';
import { formatCount, plural } from '../ui/format/number.ts';
import { VirtualList } from '../ui/grid/virtual-list.tsx';
import { Moment } from '../ui/text/moment.tsx';
import styles from './found-runs.module.css';
import type { FoundInRun, FoundRun, RunsSearchProgress } from './runs-search.ts';
import { HitPlace } from './search-hit.tsx';

/** Height of an entry in CSS pixels; equals that of `.entry` in found-runs.module.css. */
const HEIGHT = 54;

/** Number of a run's hits listed at first, so that the hits of one run do not fill the panel. */
const FIRST_HITS = 3;

/** An entry of the list: a run, one of its hits, or the number of its hits that are not listed. */
interface Entry {
  readonly run: FoundRun;
  /** The hit's position in the run's hits; undefined for the run itself. */
  readonly hit?: number;
  readonly more?: number;
}

/** What a list of runs provides to the search. */
export interface RunsOfList {
  /** Renders a run's outcome. */
  readonly renderOutcome: (workflow: WorkflowSummary) => ReactNode;
  /** Renders a hit in a run: the text, and its context if the page shows the payload. */
  readonly renderHit: (run: RunAddress, hit: SearchHit) => ReactNode;
  /** Called with what the search found in a run when the user opens the run. */
  readonly onOpen: (run: RunAddress, found: FoundInRun) => void;
}

interface FoundRunsProps extends RunsOfList {
  readonly found: readonly FoundRun[];
  readonly search: RunsSearchProgress;
}

/** The runs with hits. Lists each run's first hits, and all hits on request. */
export function FoundRuns({ found, ...rest }: FoundRunsProps) {
  const [whole, setWhole] = useState<ReadonlySet<string>>(new Set());
  const entries = useMemo(
    () => found.flatMap((run) => entriesOf(run, whole.has(run.workflow.runId))),
    [found, whole],
  );
  const [current, setCurrent] = useState<number>();
  useCommands({ 'match.next': () => go(1), 'match.previous': () => go(-1) });

  /** Moves the focus to the next or previous hit. */
  function go(by: 1 | -1) {
    const from = current ?? (by === 1 ? -1 : entries.length);
    const hits = entries
      .map(({ hit }, index) => (hit === undefined ? -1 : index))
      .filter((index) => index >= 0);
    const next = by === 1 ? hits.find((index) => index > from) : hits.findLast((index) => index < from);
    if (next === undefined) return;
    show(next);
  }

  function show(index: number) {
    setCurrent(index);
    requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-item="${index}"] > a`)?.focus());
  }

  return (
    <VirtualList
      label="Runs with matches"
      count={entries.length}
      itemHeight={HEIGHT}
      current={current}
      renderItem={(index) => {
        const entry = entries[index];
        if (!entry) return null;
        if (entry.more === undefined)
          return <EntryLink entry={entry} current={index === current} {...rest} />;
        return (
          <button
            type="button"
            className={styles['more']}
            onClick={() => {
              setWhole(new Set([...whole, entry.run.workflow.runId]));
              // The next hit replaces the button.
              show(index);
            }}
          >
            {plural(entry.more, 'more match', 'more matches')} in{' '}
            {escapeInvisible(entry.run.workflow.workflowId)}
          </button>
        );
      }}
    />
  );
}

function entriesOf(run: FoundRun, isWhole: boolean): Entry[] {
  const { length } = run.hits;
  // If only one hit remains, it takes no more space than the button for further hits.
  const listed = isWhole || length <= FIRST_HITS + 1 ? length : FIRST_HITS;
  const hits = Array.from({ length: listed }, (_, hit): Entry => ({ run, hit }));
  return [{ run }, ...hits, ...(listed < length ? [{ run, more: length - listed }] : [])];
}

interface EntryLinkProps extends Omit<FoundRunsProps, 'found'> {
  readonly entry: Entry;
  readonly current: boolean;
}

/** Opens a run at a hit, with the run's search already filled in. The address contains the event, but never the text. */
function EntryLink({
  entry: { run, hit },
  search,
  current,
  renderOutcome,
  renderHit,
  onOpen,
}: EntryLinkProps) {
  const { workflow, hits, partial } = run;
  const { namespace, text, caseSensitive } = search;
  const { workflowId, runId } = workflow;
  const place = hit ?? 0;
  const shown = hits[place];

  /** Passes the search to the run's page. A click with a modifier key opens another tab, which cannot receive the text. */
  const handOver = () =>
    onOpen({ namespace, workflowId, runId }, { text, caseSensitive, hits, partial, current: place });

  return (
    <Link
      to="/ns/$namespace/workflows/$workflowId/$runId"
      params={{ namespace, workflowId, runId }}
      search={shown ? { ev: shown.eventId, one: true } : {}}
      className={hit === undefined ? styles['run'] : styles['hit']}
      aria-current={current}
      onClick={(event) => {
        if (!(event.metaKey || event.ctrlKey || event.shiftKey)) handOver();
      }}
    >
      {hit === undefined || !shown ? (
        <RunLines run={run} outcome={renderOutcome(workflow)} />
      ) : (
        <HitLines hit={shown}>{renderHit({ namespace, workflowId, runId }, shown)}</HitLines>
      )}
    </Link>
  );
}

function RunLines({ run: { workflow, hits, partial }, outcome }: { run: FoundRun; outcome: ReactNode }) {
  const started = millisOf(workflow.startTime);
  return (
    <>
      <span className={styles['line']}>
        {outcome}
        <span className={styles['id']}>{escapeInvisible(workflow.workflowId)}</span>
      </span>
      <span className={styles['facts']}>
        {escapeInvisible(workflow.type)}, {plural(hits.length, 'match', 'matches')}
        {partial ? ' so far' : ''}
        {started === undefined ? null : (
          <>
            , started <Moment at={started} />
          </>
        )}
      </span>
    </>
  );
}

function HitLines({ hit, children }: { hit: SearchHit; children: ReactNode }) {
  return (
    <>
      <span className={styles['line']}>
        <span className={styles['event']}>event {formatCount(hit.eventId)}</span>
        <HitPlace hit={hit} />
      </span>
      {children}
    </>
  );
}
