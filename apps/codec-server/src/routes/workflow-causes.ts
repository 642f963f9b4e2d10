import {
  causeFrame,
  causesRequest,
  decodeCausesRequest,
  type DecodeCausesRequest,
  failedStatuses,
  MAX_CAUSE_RUNS,
} from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import { HttpError } from '../errors.ts';
import { causeFrames, isSampled } from '../history/cause-frames.ts';
import { type FailedRunOptions, readFailedRun } from '../history/failed-run.ts';
import type { Grant } from '../http/authorise.ts';
import type { Env } from '../http/context.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import { among } from './among.ts';
import type { Reading } from './granted.ts';
import { streamOverRuns } from './run-pages.ts';
import { admitDecryption, decryptingOf, type RunRoutesOptions } from './run-stream.ts';
import { inspectFor, withQueryErrors } from './workflows.ts';

/** Number of runs in one page of the list, if the server reads only a sample of the runs. */
const SAMPLED_PAGE_SIZE = 200;

const FAILED = `ExecutionStatus IN (${failedStatuses.map((status) => `'${status}'`).join(', ')})`;

/**
 * Temporal sets `TemporalReportedProblems` while a workflow task keeps failing:
 * https://docs.temporal.io/search-attribute#default-search-attribute
 */
const FAILED_OR_FAILING = `(${FAILED} OR (ExecutionStatus = 'Running' AND TemporalReportedProblems IS NOT NULL))`;

const response = {
  description: 'The runs, in the order in which Temporal lists them, then an `end`',
  type: 'application/x-ndjson',
  schema: causeFrame,
} as const;

const reads =
  'Reads, several runs at a time, the last event of each run that failed, the last events of each run that timed out ' +
  'or was terminated, and the failed workflow task of each open run whose workflow task keeps failing, as Temporal ' +
  'reports. A run that timed out or was terminated while its workflow task kept failing has the cause of the task. ' +
  'Failures with the same cause have the same `fingerprint.id`. If more than 2,000 runs match, the server reads a sample of the ' +
  'runs, chosen by run id; `share` in the first line is the fraction of the runs that it reads. If the reason is `limit`, continue with `after`.';

/** The routes that return why the runs that match a visibility query failed. */
export function workflowCausesRoutes(options: RunRoutesOptions): readonly Route[] {
  return [
    defineRoute({
      method: 'post',
      path: '/api/namespaces/{namespace}/workflows:causes',
      operationId: 'listCauses',
      summary: 'Lists the causes of failure of the runs that match a visibility query, without plaintext',
      description: `${reads} Messages and stack traces stay encrypted: runs are grouped by type and step.`,
      requires: 'metadata',
      body: causesRequest,
      response,
      admit: (c) => options.admitStream(c),
      handler: (c, { grant, body }) => streamCauses(c, options, grant, body),
    }),
    defineRoute({
      method: 'post',
      path: '/api/namespaces/{namespace}/workflows:decode-causes',
      operationId: 'decodeCauses',
      summary:
        'Lists the causes of failure of the runs that match a visibility query, with decrypted messages',
      description:
        `${reads} Decrypts the messages and stack traces of the failures, nothing else. The audit has separate ` +
        'entries for each run whose payloads are decrypted.',
      requires: 'decode',
      body: decodeCausesRequest,
      response,
      admit: admitDecryption(options),
      handler: async (c, { grant, body }) => {
        const decrypting = await decryptingOf(c, options, grant, body.justification);
        return await streamCauses(c, options, grant, body, decrypting);
      },
    }),
  ];
}

async function streamCauses<P extends Reading>(
  c: Context<Env>,
  options: RunRoutesOptions,
  grant: Grant<P>,
  { query, after }: Pick<DecodeCausesRequest, 'query' | 'after'>,
  decrypting?: FailedRunOptions['decrypting'],
): Promise<Response> {
  const { authority, inspect } = options;
  const { namespace } = grant;
  const temporal = options.temporal(grant);
  const countOf = (failed: string) =>
    withQueryErrors(() => temporal.count({ namespace, query: among(query, failed) }, c.req.raw.signal));
  let failed = FAILED_OR_FAILING;
  const counted = await countOf(failed).catch(async (error: unknown) => {
    // Older Temporal servers lack the attribute `TemporalReportedProblems`.
    if (!(error instanceof HttpError && error.code === 'invalid_query')) throw error;
    failed = FAILED;
    return await countOf(failed);
  });
  const total = Number(counted.count ?? 0);
  const share = total > MAX_CAUSE_RUNS ? MAX_CAUSE_RUNS / total : 1;
  const pageSize = share < 1 ? SAMPLED_PAGE_SIZE : undefined;
  const reader = options.reader(grant);
  const inspectForCaller = inspectFor(c, authority.access, inspect);
  const listed = { query: among(query, failed), after, pageSize };
  return await streamOverRuns(c, options, grant, listed, (stream, perRun) => {
    const reading = { namespace, reader, inspect: inspectForCaller, lifetime: perRun, decrypting };
    return causeFrames({
      ...stream,
      start: { total, share, failingTasks: failed === FAILED_OR_FAILING },
      page: async (token) => {
        const page = await stream.page(token);
        return share < 1 ? { ...page, runs: page.runs.filter(({ runId }) => isSampled(runId, share)) } : page;
      },
      read: (run) => readFailedRun(run, reading),
      kmsCalls: () => decrypting?.budget.used ?? 0,
    });
  });
}
