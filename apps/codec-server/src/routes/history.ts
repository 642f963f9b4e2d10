import { type DecodeResult, decodeRequest, historyQuery, runId, workflowId } from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import type { Logger } from 'pino';
import { z } from 'zod';
import { reasonFor } from '../access/reveal.ts';
import type { AuditRecord } from '../audit/audit.ts';
import { auditedStream } from '../audit/stream.ts';
import { historyFrames } from '../history/frames.ts';
import { type Opener, openWanted } from '../history/open.ts';
import type { HistoryReader, Run } from '../history/reader.ts';
import type { Inspect } from '../history/stub.ts';
import { findWanted } from '../history/wanted.ts';
import type { Authority } from '../http/authorise.ts';
import { type Env, peerOf } from '../http/context.ts';
import { checked, jsonBody } from '../http/input.ts';
import { ndjson } from '../http/ndjson.ts';
import { badRequest } from '../http/refusal.ts';
import type { Routes } from '../http/routes.ts';
import type { TemporalService } from '../temporal/service.ts';

export interface HistoryOptions {
  readonly temporal: TemporalService;
  readonly reader: HistoryReader;
  readonly codec: Opener;
  readonly inspect: Inspect;
  readonly authority: Authority;
  readonly log: Logger;
  readonly stopping: AbortSignal;
}

const runParameters = z.object({ workflowId, runId });

const RUN = '/namespaces/:namespace/workflows/:workflowId/runs/:runId';

export function historyRoutes(routes: Routes, options: HistoryOptions): void {
  const { temporal, reader, codec, inspect, authority, log, stopping } = options;

  routes.get(`${RUN}/history`, 'metadata', async (c) => {
    const run = runOf(c);
    const { after, live } = checked(historyQuery, c.req.query());
    const { namespace, workflowId: id, runId: of } = run;
    const description = await temporal.describe(
      { namespace, execution: { workflowId: id, runId: of } },
      c.req.raw.signal,
    );
    const length = Number(description.workflowExecutionInfo?.historyLength ?? 0);
    if (after > length) throw badRequest(`The run has no event ${after}; its last is ${length}.`);
    return ndjson(c, (gone) =>
      historyFrames({ reader, inspect, log, run, after, length, live, gone, stopping }),
    );
  });

  routes.post(`${RUN}/payloads:decode`, 'decode', async (c) => {
    const run = runOf(c);
    const { refs, reason: given } = checked(decodeRequest, await jsonBody(c));
    const reason = reasonFor(authority.access, run.namespace, given);
    const wanted = await findWanted({ temporal, reader }, run, refs, c.req.raw.signal);
    const record = await authority.audit.begin({
      operation: 'decode',
      caller: c.get('caller'),
      peer: peerOf(c),
      ...run,
      refs,
      ...(reason === undefined ? {} : { reason }),
    });
    return ndjson(c, (gone) => auditedStream(record, openWanted(codec, log, wanted, gone), tellResult));
  });
}

const runOf = (c: Context<Env, typeof RUN>): Run => ({
  namespace: c.get('namespace'),
  ...checked(runParameters, { workflowId: c.req.param('workflowId'), runId: c.req.param('runId') }),
});

function tellResult(record: AuditRecord, result: DecodeResult): void {
  if (result.ok) record.done(result.key);
  else record.refused(result.reason);
}
