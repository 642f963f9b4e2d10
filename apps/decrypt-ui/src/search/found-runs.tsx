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
import { HitPlace, HitSnippet } from './search-hit.tsx';

/** Height of an entry in CSS pixels; `.entry` of found-runs.module.css. */
const HEIGHT = 54;

/** A run, or one of its hits. */
interface Entry {
  readonly run: FoundRun;
  /** The place in the run's hits; undefined for the run itself. */
  readonly hit: number | undefined;
}

/** What a list of runs gives to the search. */
export interface RunsOfList {
  /** Shows the outcome of a run. */
  readonly renderOutcome: (workflow: WorkflowSummary) => ReactNode;
  /** Called when the reader opens a run, with what the search has found there. */
  readonly onOpen: (run: RunAddress, found: FoundInRun) => void;
}

interface FoundRunsProps extends RunsOfList {
  readonly found: readonly FoundRun[];
  readonly search: RunsSearchProgress;
}

/** The runs with hits, each with its hits. */
export function FoundRuns({ found, ...rest }: FoundRunsProps) {
  const entries = useMemo(
    () =>
      found.flatMap((run): Entry[] => [
        { run, hit: undefined },
        ...run.hits.map((_, hit): Entry => ({ run, hit })),
      ]),
    [found],
  );
  const [current, setCurrent] = useState<number>();
  useCommands({ 'match.next': () => go(1), 'match.previous': () => go(-1) });

  /** Moves the focus to the next hit. */
  function go(by: 1 | -1) {
    const from = current ?? (by === 1 ? -1 : entries.length);
    const hits = entries
      .map(({ hit }, index) => (hit === undefined ? -1 : index))
      .filter((index) => index >= 0);
    const next = by === 1 ? hits.find((index) => index > from) : hits.findLast((index) => index < from);
    if (next === undefined) return;
    setCurrent(next);
    requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-item="${next}"] > a`)?.focus());
  }

  return (
    <VirtualList
      label="Runs with matches"
      count={entries.length}
      itemHeight={HEIGHT}
      current={current}
      renderItem={(index) => {
        const entry = entries[index];
        return entry ? <EntryLink entry={entry} current={index === current} {...rest} /> : null;
      }}
    />
  );
}

interface EntryLinkProps extends Omit<FoundRunsProps, 'found'> {
  readonly entry: Entry;
  readonly current: boolean;
}

/** Opens the run at a hit, with the search of the run already set. The address names the event, and never the text. */
function EntryLink({ entry: { run, hit }, search, current, renderOutcome, onOpen }: EntryLinkProps) {
  const { workflow, hits, partial } = run;
  const { namespace, text, caseSensitive } = search;
  const { workflowId, runId } = workflow;
  const place = hit ?? 0;
  const shown = hits[place];

  /** A click with a modifier opens another page, which cannot get the text. */
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
        <HitLines hit={shown} />
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

function HitLines({ hit }: { hit: SearchHit }) {
  return (
    <>
      <span className={styles['line']}>
        <span className={styles['event']}>event {formatCount(hit.eventId)}</span>
        <HitPlace hit={hit} />
      </span>
      <HitSnippet hit={hit} />
    </>
  );
}
