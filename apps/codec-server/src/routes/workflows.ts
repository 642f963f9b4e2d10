import {
  progressRequest,
  runsProgress,
  type RunsProgress,
  runTaskQueues,
  type RunTaskQueues,
  runTaskQueuesQuery,
  type WorkflowCount,
  workflowCount,
  workflowCountQuery,
  workflowDescription,
  workflowDescriptionQuery,
  type WorkflowList,
  workflowList,
  workflowListQuery,
  workflowStatus,
  type WorkflowSummary,
  workflowTypes,
  workflowTypesQuery,
} from '@temporal-kms/codec-api';
import type { temporal as api } from '@temporalio/proto';
import type { Context } from 'hono';
import type { Access } from '../access/access.ts';
import { badRequest, HttpError } from '../errors.ts';
import { workflowDescription as descriptionOf, workflowSummary } from '../history/description.ts';
import { progressOfRuns } from '../history/run-progress.ts';
import { taskQueuesOf } from '../history/task-queues.ts';
import { workflowTypesOf } from '../history/workflow-types.ts';
import type { Env } from '../http/context.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import { replyJsonWithin } from '../http/request-memory.ts';
import { replyJson } from '../http/responses.ts';
import { responseMemory } from '../temporal/bounded-responses.ts';
import { hasUnknownStatus } from '../temporal/grpc-errors.ts';
import { createCheckpoint } from '../turns/checkpoint.ts';
import type { GrantedServices } from './granted.ts';
import { RUN } from './run-stream.ts';
import type { Inspect } from '../history/payload-stub.ts';

export interface WorkflowRoutesOptions extends Pick<GrantedServices, 'temporal' | 'pollers'> {
  readonly access: Pick<Access, 'allows'>;
  readonly inspect: Inspect;
}

const WORKFLOWS = '/api/namespaces/{namespace}/workflows';

/** Routes that list, count and describe workflow runs, and describe the workers for a run's task queues. */
export function workflowRoutes({
  access,
  temporal,
  pollers,
  inspect,
}: WorkflowRoutesOptions): readonly Route[] {
  return [
    defineRoute({
      method: 'get',
      path: WORKFLOWS,
      operationId: 'listWorkflows',
      summary: 'Lists the runs that match a visibility query, newest first, in pages',
      requires: 'metadata',
      query: workflowListQuery,
      response: { description: 'A page', type: 'application/json', schema: workflowList },
      handler: async (c, { grant, query }) => {
        const { namespace } = grant;
        const nextPageToken =
          query.pageToken === undefined ? undefined : Buffer.from(query.pageToken, 'base64url');
        const inspectForCaller = inspectFor(c, access, inspect);
        const checkpoint = createCheckpoint();
        return replyJsonWithin(c, async (lease): Promise<WorkflowList> => {
          const page = await withQueryErrors(() =>
            temporal(grant).list(
              {
                namespace,
                query: query.query,
                pageSize: query.pageSize,
                ...(nextPageToken ? { nextPageToken } : {}),
              },
              c.req.raw.signal,
              responseMemory(lease),
            ),
          ).catch((error: unknown) => {
            if (nextPageToken === undefined || !hasUnknownStatus(error)) throw error;
            throw badRequest("pageToken is invalid; send an earlier page's nextPageToken.", error);
          });
          const workflows: WorkflowSummary[] = [];
          for (const info of page.executions)
            workflows.push(await workflowSummary(info, namespace, inspectForCaller, checkpoint));
          return {
            workflows,
            ...(page.nextPageToken.length > 0
              ? { nextPageToken: Buffer.from(page.nextPageToken).toString('base64url') }
              : {}),
          };
        });
      },
    }),
    defineRoute({
      method: 'get',
      path: `${WORKFLOWS}:count`,
      operationId: 'countWorkflows',
      summary: 'Counts the runs that match a visibility query, by status',
      requires: 'metadata',
      query: workflowCountQuery,
      response: { description: 'The counts', type: 'application/json', schema: workflowCount },
      handler: async (c, { grant, query }) => {
        const byStatusQuery = `${query.query} GROUP BY ExecutionStatus`.trim();
        const counted = await withQueryErrors(() =>
          temporal(grant).count({ namespace: grant.namespace, query: byStatusQuery }, c.req.raw.signal),
        );
        return replyJson(c, countsOf(counted));
      },
    }),
    defineRoute({
      method: 'get',
      path: `${WORKFLOWS}:types`,
      operationId: 'listWorkflowTypes',
      summary: 'Lists the workflow types of the runs in the namespace',
      requires: 'metadata',
      query: workflowTypesQuery,
      response: { description: 'The types', type: 'application/json', schema: workflowTypes },
      handler: async (c, { grant, query: { prefix } }) => {
        const { namespace } = grant;
        return replyJsonWithin(c, (lease) =>
          workflowTypesOf(prefix, async (query) => {
            const page = await temporal(grant).list(
              { namespace, query, pageSize: 100 },
              c.req.raw.signal,
              responseMemory(lease),
            );
            const types = page.executions.flatMap(({ type }) => type?.name ?? []);
            return { types, more: page.nextPageToken.length > 0 };
          }),
        );
      },
    }),
    defineRoute({
      method: 'post',
      path: `${WORKFLOWS}:progress`,
      operationId: 'describeProgress',
      summary: 'Describes what open runs wait for',
      description:
        'Describes up to 100 runs in one request: the workflow task of each run, the activity or Nexus operation with the most ' +
        'attempts, the activity that has waited longest, and, if the run has waited for 30 s, the workers that poll the task queue. ' +
        'The server asks Temporal about each task queue only once. Runs that Temporal does not have are left out.',
      requires: 'metadata',
      body: progressRequest,
      response: { description: 'The runs', type: 'application/json', schema: runsProgress },
      handler: async (c, { grant, body: { runs } }) => {
        const { namespace } = grant;
        const pollersOf = pollers(grant);
        return replyJsonWithin(c, async (lease): Promise<RunsProgress> => {
          const memory = responseMemory(lease);
          const describe = (execution: (typeof runs)[number], signal: AbortSignal) =>
            temporal(grant).describe({ namespace, execution }, signal, memory);
          return { runs: await progressOfRuns(runs, { describe, pollersOf }, c.req.raw.signal) };
        });
      },
    }),
    defineRoute({
      method: 'get',
      path: `${WORKFLOWS}/{workflowId}`,
      operationId: 'describeWorkflow',
      summary: 'Describes a run, its relations and pending work, with placeholders for payloads',
      requires: 'metadata',
      query: workflowDescriptionQuery,
      response: { description: 'The description', type: 'application/json', schema: workflowDescription },
      handler: async (c, { grant, parameters: { workflowId }, query: { runId = '' } }) => {
        const { namespace } = grant;
        const execution = { workflowId, runId };
        return replyJsonWithin(c, async (lease) => {
          const memory = responseMemory(lease);
          const description = await temporal(grant).describe(
            { namespace, execution },
            c.req.raw.signal,
            memory,
          );
          return descriptionOf(description, namespace, inspectFor(c, access, inspect), createCheckpoint());
        });
      },
    }),
    defineRoute({
      method: 'get',
      path: `${RUN}/task-queues`,
      operationId: 'describeTaskQueues',
      summary: 'Describes the workers that poll the task queues on which an open run depends',
      description:
        "Describes at most 8 task queues: the run's own, and those of its pending activities that no worker has taken. The server asks " +
        'Temporal about a task queue at most once every 10 seconds, and leaves out a task queue if Temporal does not answer. The caller cannot name other task queues: Temporal creates ' +
        'a task queue when a client asks about it.',
      requires: 'metadata',
      query: runTaskQueuesQuery,
      response: { description: 'The task queues', type: 'application/json', schema: runTaskQueues },
      handler: async (c, { grant, parameters: { workflowId, runId }, query: { workers } }) => {
        const { namespace } = grant;
        const { signal } = c.req.raw;
        const execution = { workflowId, runId };
        const pollersOf = pollers(grant);
        return replyJsonWithin(c, async (lease): Promise<RunTaskQueues> => {
          const memory = responseMemory(lease);
          const description = await temporal(grant).describe({ namespace, execution }, signal, memory);
          const described = await Promise.all(
            taskQueuesOf(description, workers).map((queue) => pollersOf(queue, signal, workers)),
          );
          return { taskQueues: described.filter((queue) => queue !== undefined) };
        });
      },
    }),
  ];
}

/**
 * Returns `inspect` for a request's caller. A message gets the reason `namespace_not_permitted` if the caller
 * may not decode in its namespace, so that clients do not request a message that they cannot get.
 */
export function inspectFor(c: Context<Env>, access: Pick<Access, 'allows'>, inspect: Inspect): Inspect {
  const caller = c.get('caller');
  return (payload, context) => {
    const info = inspect(payload, context);
    const { namespace } = info;
    if (namespace === undefined || namespace === context.namespace) return info;
    return access.allows(caller, 'decode', namespace) ? info : { ...info, reason: 'namespace_not_permitted' };
  };
}

/**
 * Returns what is wrong with a query, from Temporal's message. Omits the position of a syntax error, because
 * Temporal counts it in the SQL statement that it builds from the query.
 */
function queryProblem(message: string): string {
  const problem = message
    .replace('rejected the request: ', 'rejected the query: ')
    .replace('invalid query: ', '')
    .replace('malformed SQL query: ', '')
    .replace(/ at position \d+/, '')
    // `countWorkflows` appends this `GROUP BY`, which is not a part of the caller's query.
    .replace(" near 'group'", '');
  return problem.includes('syntax error')
    ? `${problem}. Check the operators, quotes and parentheses.`
    : problem;
}

/** Returns Temporal's message for an invalid visibility query to the caller, who wrote the query. */
export async function withQueryErrors<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof HttpError && error.code === 'bad_request') {
      throw new HttpError(400, 'invalid_query', queryProblem(error.message), { cause: error.cause });
    }
    throw error;
  }
}

function countsOf(counted: api.api.workflowservice.v1.ICountWorkflowExecutionsResponse): WorkflowCount {
  const byStatus: WorkflowCount['byStatus'] = {};
  for (const { groupValues, count } of counted.groups ?? []) {
    const name = workflowStatus.safeParse(JSON.parse(Buffer.from(groupValues?.[0]?.data ?? '""').toString()));
    if (name.success) byStatus[name.data] = Number(count ?? 0);
  }
  return { total: Number(counted.count ?? 0), byStatus };
}
