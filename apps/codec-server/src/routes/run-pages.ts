import type { RunSample, WorkflowSummary } from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import { badRequest } from '../errors.ts';
import { workflowSummary } from '../history/description.ts';
import { pageTokenOf, type RunPage, type RunsStream } from '../history/over-runs.ts';
import type { StreamLifetime } from '../history/stream-limits.ts';
import type { Grant } from '../http/authorise.ts';
import type { Env } from '../http/context.ts';
import { leaseOf } from '../http/request-memory.ts';
import { ndjson } from '../http/responses.ts';
import { responseMemory } from '../temporal/bounded-responses.ts';
import { hasUnknownStatus } from '../temporal/grpc-errors.ts';
import { createCheckpoint } from '../turns/checkpoint.ts';
import type { Reading } from './granted.ts';
import { lifetimeOf, lifetimeWithoutReset, type RunRoutesOptions } from './run-stream.ts';
import { nextSampleToken, samplePage } from './sampled-runs.ts';
import { inspectFor, withQueryErrors } from './workflows.ts';

/** Number of runs in one page of the list, if the server reads every run. */
const PAGE_SIZE = 100;

/** How long one request reads runs, in milliseconds. A client continues with `after` in another request. */
const STREAM_MS = 60_000;

interface RequestedRuns {
  readonly query: string;
  readonly after?: string | undefined;
  readonly pageSize?: number | undefined;
  /** Which runs to read. Default: all runs. */
  readonly sample?: RunSample | undefined;
}

/**
 * Streams lines about the runs that match a query. Reads the first page before the response begins, so that
 * Temporal can reject the query.
 * @param lines returns the lines. Its second argument is a lifetime for the work on individual runs; `stop`
 * also ends that lifetime
 */
export async function streamOverRuns<P extends Reading, Frame>(
  c: Context<Env>,
  options: RunRoutesOptions,
  grant: Grant<P>,
  { after, ...listed }: RequestedRuns,
  lines: (stream: RunsStream, perRun: StreamLifetime) => AsyncIterable<Frame>,
): Promise<Response> {
  const pages = runPages(c, options, grant, listed);
  const first = await pages(pageTokenOf(after), c.req.raw.signal);
  return ndjson(c, (disconnected) => {
    const stop = new AbortController();
    const lifetime = lifetimeOf(c, options, disconnected, STREAM_MS);
    const perRun = lifetimeWithoutReset(c, options, AbortSignal.any([disconnected, stop.signal]), STREAM_MS);
    const page: RunsStream['page'] = async (token) =>
      token === first.token ? first : await pages(token, lifetime.signal);
    return lines({ log: options.log, lifetime, after, page, stop: () => stop.abort() }, perRun);
  });
}

/** Estimated memory in bytes per character of a run's JSON. */
const RUN_COST = 2;

/**
 * Returns a function that reads a page of the runs that match a query. The lease covers the memory of the
 * latest page.
 */
export function runPages<P extends Reading>(
  c: Context<Env>,
  { temporal: temporalFor, inspect, authority }: RunRoutesOptions,
  grant: Grant<P>,
  { query, pageSize = PAGE_SIZE, sample }: Omit<RequestedRuns, 'after'>,
): (token: string, signal: AbortSignal) => Promise<RunPage> {
  const { namespace } = grant;
  const temporal = temporalFor(grant);
  const inspectForCaller = inspectFor(c, authority.access, inspect);
  // This lease must not borrow: while it is held, the request also waits for memory for the runs that it
  // reads, and only one lease at a time may borrow.
  const lease = leaseOf(c, false);
  const memory = responseMemory(lease);
  const checkpoint = createCheckpoint();
  return async (token, signal) => {
    const nextPageToken = token === '' ? {} : { nextPageToken: Buffer.from(token, 'base64url') };
    const asked = sample ? samplePage(query, sample, token) : { query, pageSize, ...nextPageToken };
    const page = await withQueryErrors(() => temporal.list({ namespace, ...asked }, signal, memory)).catch(
      (error: unknown) => {
        // The token of a sample's page is not sent to Temporal.
        if (sample || token === '' || !hasUnknownStatus(error)) throw error;
        throw badRequest('after is invalid; send a value from an earlier response.', error);
      },
    );
    const runs: WorkflowSummary[] = [];
    let characters = 0;
    for (const info of page.executions) {
      const run = await workflowSummary(info, namespace, inspectForCaller, checkpoint);
      characters += JSON.stringify(run).length;
      runs.push(run);
    }
    // If a test calls the app without a port, no closing connection releases the lease.
    lease.shrinkTo(c.env?.outgoing === undefined ? 0 : characters * RUN_COST);
    const next = sample
      ? nextSampleToken(sample, token, runs)
      : Buffer.from(page.nextPageToken).toString('base64url') || undefined;
    return { runs, token, next };
  };
}
