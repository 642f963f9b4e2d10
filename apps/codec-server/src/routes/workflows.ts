import type { WorkflowCount, WorkflowList } from '@temporal-kms/codec-api';
import {
  workflowCountQuery,
  workflowDescriptionQuery,
  workflowId,
  workflowListQuery,
  workflowStatus,
} from '@temporal-kms/codec-api';
import type { temporal as api } from '@temporalio/proto';
import { workflowDescription, workflowSummary } from '../history/description.ts';
import type { Access } from '../access/access.ts';
import type { Inspect } from '../history/payload-stub.ts';
import { replyJson } from '../http/reply.ts';
import { validate } from '../http/input.ts';
import { badRequest, HttpError } from '../errors.ts';
import type { Routes } from '../http/routes.ts';
import { inspectFor } from './inspect-for.ts';
import { hasUnknownStatus, type TemporalService } from '../temporal/service.ts';

export interface WorkflowsOptions {
  readonly access: Pick<Access, 'allows'>;
  readonly temporal: TemporalService;
  readonly inspect: Inspect;
}

export function workflowRoutes(routes: Routes, { access, temporal, inspect }: WorkflowsOptions): void {
  routes.get('/namespaces/:namespace/workflows', 'metadata', async (c) => {
    const namespace = c.get('namespace');
    const asked = validate(workflowListQuery, c.req.query());
    const nextPageToken =
      asked.pageToken === undefined ? undefined : Buffer.from(asked.pageToken, 'base64url');
    const page = await visible(() =>
      temporal.list(
        {
          namespace,
          query: asked.query,
          pageSize: asked.pageSize,
          ...(nextPageToken ? { nextPageToken } : {}),
        },
        c.req.raw.signal,
      ),
    ).catch((error: unknown) => {
      if (nextPageToken === undefined || !hasUnknownStatus(error)) throw error;
      throw badRequest('pageToken is not one that this server gave.', error);
    });
    const inspectHere = inspectFor(c, access, inspect);
    const list: WorkflowList = {
      workflows: page.executions.map((info) => workflowSummary(info, namespace, inspectHere)),
      ...(page.nextPageToken.length > 0
        ? { nextPageToken: Buffer.from(page.nextPageToken).toString('base64url') }
        : {}),
    };
    return replyJson(c, list);
  });

  routes.get('/namespaces/:namespace/workflows:count', 'metadata', async (c) => {
    const asked = validate(workflowCountQuery, c.req.query());
    const byStatusQuery = `${asked.query} GROUP BY ExecutionStatus`.trim();
    const counted = await visible(() =>
      temporal.count({ namespace: c.get('namespace'), query: byStatusQuery }, c.req.raw.signal),
    );
    return replyJson(c, workflowCount(counted));
  });

  routes.get('/namespaces/:namespace/workflows/:workflowId', 'metadata', async (c) => {
    const namespace = c.get('namespace');
    const execution = {
      workflowId: validate(workflowId, c.req.param('workflowId')),
      runId: validate(workflowDescriptionQuery, c.req.query()).runId ?? '',
    };
    const description = await temporal.describe({ namespace, execution }, c.req.raw.signal);
    return replyJson(c, workflowDescription(description, namespace, inspectFor(c, access, inspect)));
  });
}

/** What Temporal says of a query that it can't read is what its writer needs. */
async function visible<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof HttpError && error.code === 'bad_request') {
      throw new HttpError(400, 'invalid_query', error.message, { cause: error.cause });
    }
    throw error;
  }
}

function workflowCount(counted: api.api.workflowservice.v1.ICountWorkflowExecutionsResponse): WorkflowCount {
  const byStatus: WorkflowCount['byStatus'] = {};
  for (const { groupValues, count } of counted.groups ?? []) {
    const name = workflowStatus.safeParse(JSON.parse(Buffer.from(groupValues?.[0]?.data ?? '""').toString()));
    if (name.success) byStatus[name.data] = Number(count ?? 0);
  }
  return { total: Number(counted.count ?? 0), byStatus };
}
