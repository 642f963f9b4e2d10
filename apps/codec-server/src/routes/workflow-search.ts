import {
  workflowSearchFrame,
  type WorkflowSearchRequest,
  workflowSearchRequest,
  type WorkflowSummary,
} from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import { type RunsStream, unreadRun, type Visited } from '../history/over-runs.ts';
import { searchFrames } from '../history/search.ts';
import {
  MAX_RUN_EVENTS,
  MAX_RUN_HITS,
  type SearchedRun,
  searchRun,
  searchRunsFrames,
} from '../history/search-runs.ts';
import { KmsCallBudget, type StreamLifetime } from '../history/stream-limits.ts';
import { type Grant, requireJustification } from '../http/authorise.ts';
import type { Env } from '../http/context.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import {
  admitDecryption,
  beginAudit,
  codecOf,
  historyLength,
  interruption,
  type RunRoutesOptions,
  searchOutcome,
} from './run-stream.ts';
import type { GrantedTemporal } from './granted.ts';
import { streamOverRuns } from './run-pages.ts';
import { auditedStream } from '../audit/audited-stream.ts';

/** The route that searches for text in all runs that match a visibility query. */
export function workflowSearchRoute(options: RunRoutesOptions): Route {
  const { authority } = options;
  return defineRoute({
    method: 'post',
    path: '/api/namespaces/{namespace}/workflows:search',
    operationId: 'searchWorkflows',
    summary: 'Searches for text in the decrypted payloads of all runs that match a visibility query',
    description:
      'Searches the newest 4,096 events of each run, several runs at a time, in the order in which Temporal lists the ' +
      'runs. Streams each run with hits, followed by at most 50 hits as in `searchHistory`. If the reason is `limit`, ' +
      'continue with `after`. The audit has separate entries for each searched run.',
    requires: 'search',
    body: workflowSearchRequest,
    response: { description: 'Frames', type: 'application/x-ndjson', schema: workflowSearchFrame },
    admit: admitDecryption(options),
    handler: async (c, { grant, body: request }) => {
      const justification = await requireJustification(c, authority, grant, {}, request.justification);
      return await streamOverRuns(c, options, grant, request, (stream, perRun) => {
        const lengths = new RunLengths(options.temporal(grant), grant.namespace, perRun.signal);
        const search = runSearch(c, options, grant, { request, justification, lengths, stream, perRun });
        return searchRunsFrames({ ...stream, prepare: (runs) => lengths.prepare(runs), search });
      });
    },
  });
}

/** Number of open runs whose lengths the server requests from Temporal at a time, ahead of the search. */
const CONCURRENT_LENGTHS = 8;

/**
 * The lengths of runs' histories. Temporal's visibility store has only the lengths of closed runs, so the
 * server requests the lengths of open runs.
 */
class RunLengths {
  readonly #temporal: GrantedTemporal;
  readonly #namespace: string;
  readonly #signal: AbortSignal;
  readonly #asked = new Map<string, Promise<number>>();

  constructor(temporal: GrantedTemporal, namespace: string, signal: AbortSignal) {
    this.#temporal = temporal;
    this.#namespace = namespace;
    this.#signal = signal;
  }

  /** Requests the lengths of open runs, several at a time, so that the searches need not wait. */
  prepare(runs: readonly WorkflowSummary[]): void {
    const open = runs.filter((run) => !isClosed(run)).values();
    const ask = async (): Promise<void> => {
      for (const run of open) {
        if (this.#signal.aborted) return;
        // The run's search reports the failure.
        await this.of(run).catch(() => undefined);
      }
    };
    for (let n = 0; n < CONCURRENT_LENGTHS; n += 1) void ask();
  }

  /** @throws the same HttpErrors as `historyLength` */
  of(run: WorkflowSummary): Promise<number> {
    const { workflowId, runId } = run;
    if (isClosed(run)) return Promise.resolve(run.historyLength);
    const known = this.#asked.get(runId);
    if (known !== undefined) return known;
    const asked = historyLength(
      this.#temporal,
      { namespace: this.#namespace, workflowId, runId },
      this.#signal,
    );
    this.#asked.set(runId, asked);
    return asked;
  }
}

const isClosed = ({ historyLength: known, closeTime }: WorkflowSummary): boolean =>
  known > 0 && closeTime !== undefined;

interface RunSearch {
  readonly request: WorkflowSearchRequest;
  readonly justification: string | undefined;
  readonly lengths: RunLengths;
  readonly stream: RunsStream;
  readonly perRun: StreamLifetime;
}

/**
 * Returns a function that searches a run. The audit records this search like a search of a single run, so
 * that an auditor finds all searches of a run in the same way.
 */
function runSearch(
  c: Context<Env>,
  options: RunRoutesOptions,
  grant: Grant<'search'>,
  { request: { text, caseSensitive }, justification, lengths, stream, perRun }: RunSearch,
): (run: WorkflowSummary) => Promise<Visited<SearchedRun>> {
  const { threads, authority, log } = options;
  const { namespace } = grant;
  const reader = options.reader(grant);
  const codec = codecOf(c, options, grant);
  const budget = new KmsCallBudget(codec);
  const request = { text, caseSensitive, order: 'newest_first' as const };
  return async (listed) => {
    const { workflowId, runId } = listed;
    const run = { namespace, workflowId, runId };
    let length: number;
    try {
      length = await lengths.of(listed);
    } catch (error) {
      return unreadRun(error, stream, 'search');
    }
    const record = await beginAudit(c, authority, grant, { run, justification });
    const frames = searchFrames({
      reader,
      threads,
      codec,
      log,
      run,
      record,
      request,
      length,
      lifetime: perRun,
      budget,
      oldest: Math.max(1, length - MAX_RUN_EVENTS + 1),
      maxHits: MAX_RUN_HITS,
    });
    return await searchRun(
      auditedStream(record, frames, searchOutcome, () => interruption(perRun.signal, perRun)),
    );
  };
}
