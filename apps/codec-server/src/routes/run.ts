import { runId, workflowId } from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import { z } from 'zod';
import type { Run } from '../history/reader.ts';
import type { Env } from '../http/context.ts';
import { validate } from '../http/input.ts';
import type { TemporalService } from '../temporal/service.ts';

/** Where the routes of one run begin. */
export const RUN = '/namespaces/:namespace/workflows/:workflowId/runs/:runId';

const parameters = z.object({ workflowId, runId });

/** @throws HttpError `bad_request` for ids that Temporal can't have given; they never reach it */
export const runOf = (c: Context<Env, typeof RUN>): Run => ({
  namespace: c.get('namespace'),
  ...validate(parameters, { workflowId: c.req.param('workflowId'), runId: c.req.param('runId') }),
});

/**
 * How many durable events the run's history has now.
 * @throws HttpError `not_found`
 */
export async function lengthOf(
  temporal: Pick<TemporalService, 'describe'>,
  { namespace, workflowId: id, runId: of }: Run,
  signal: AbortSignal,
): Promise<number> {
  const execution = { workflowId: id, runId: of };
  const { workflowExecutionInfo } = await temporal.describe({ namespace, execution }, signal);
  return Number(workflowExecutionInfo?.historyLength ?? 0);
}
