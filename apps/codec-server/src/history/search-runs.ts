import {
  countReasons,
  MAX_HITS,
  MAX_SEARCHED_RUNS,
  type ReasonCounts,
  type SearchFrame,
  type SearchHit,
  type WorkflowSearchFrame,
  type WorkflowSummary,
} from '@temporal-kms/codec-api';
import { framesOverRuns, type RunsStream, type Visited } from './over-runs.ts';

/** Maximum number of hits per run. A search within the run finds the rest. */
export const MAX_RUN_HITS = 50;

/**
 * Maximum number of events that are searched in one run, newest first. At this length, Temporal suggests that
 * a workflow continue as new.
 */
export const MAX_RUN_EVENTS = 4_096;

interface SearchRunsOptions extends RunsStream {
  readonly search: (run: WorkflowSummary) => Promise<Visited<SearchedRun>>;
}

/** A run's hits, and the part of the run that was searched. */
export interface SearchedRun {
  readonly hits: readonly SearchHit[];
  readonly end: Extract<SearchFrame, { type: 'end' }>;
}

/** Searches a list's runs, and yields the runs with hits in the list's order. */
export function searchRunsFrames({
  search,
  ...stream
}: SearchRunsOptions): AsyncGenerator<WorkflowSearchFrame, void> {
  const searched = { hits: 0, events: 0, payloads: 0, bytes: 0, kmsCalls: 0 };
  const unreadable: ReasonCounts = {};
  let partial = 0;
  const totals = () => ({ ...searched, unreadable: { ...unreadable } });
  return framesOverRuns<SearchedRun, WorkflowSearchFrame>({
    ...stream,
    stream: 'search',
    visit: search,
    lines: function* ({ hits, end }, workflow) {
      const isPartial = end.after > 1;
      if (hits.length > 0) yield { type: 'run', workflow, hits: hits.length, partial: isPartial };
      yield* hits;
      partial += isPartial ? 1 : 0;
      searched.hits += hits.length;
      searched.events += end.events;
      searched.payloads += end.payloads;
      searched.bytes += end.bytes;
      // The searches of one request share the budget, so each search reports the total number of calls so
      // far.
      searched.kmsCalls = Math.max(searched.kmsCalls, end.kmsCalls);
      countReasons(unreadable, end.unreadable);
    },
    isFull: ({ runs }) => searched.hits >= MAX_HITS || runs >= MAX_SEARCHED_RUNS,
    progress: ({ after, runs }) => ({ type: 'progress', after, runs, ...totals() }),
    end: (end) => ({ type: 'end', ...end, ...totals(), partial }),
  });
}

/** Collects the hits of a search in one run. */
export async function searchRun(frames: AsyncIterable<SearchFrame>): Promise<Visited<SearchedRun>> {
  const hits: SearchHit[] = [];
  let end: SearchedRun['end'] | undefined;
  // Does not stop at the `end` frame, although no frame follows, because the audit would otherwise record the
  // stream as cut off.
  for await (const frame of frames) {
    if (frame.type === 'hit') hits.push(frame);
    else if (frame.type === 'end') end = frame;
  }
  if (end === undefined) throw new Error('The search of a run ended without a last frame.');
  if (end.reason === 'error') return { status: 'failed', message: end.message };
  if (end.reason !== 'complete' && end.hits < MAX_RUN_HITS) return { status: 'limit' };
  return { status: 'read', value: { hits, end } };
}
