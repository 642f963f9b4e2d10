import { type DecodeFrame, decodeRequest, historyQuery } from '@temporal-kms/codec-api';
import type { Outcome } from '../audit/audit.ts';
import { auditedStream } from '../audit/stream.ts';
import { decodeFrames } from '../history/decode-stream.ts';
import { historyFrames } from '../history/history-stream.ts';
import { locatePayloads } from '../history/locate-payloads.ts';
import { validate, jsonBody } from '../http/input.ts';
import { ndjson } from '../http/ndjson.ts';
import type { NamespaceAccess } from '../http/namespace-access.ts';
import { badRequest } from '../errors.ts';
import type { Routes } from '../http/routes.ts';
import { requireJustification } from '../http/justification.ts';
import { inspectFor } from './inspect-for.ts';
import { lengthOf, RUN, runOf } from './run.ts';
import { begin, interruption, lifetimeOf, openerFor, outcomeOf, type RunRoutesOptions } from './stream.ts';

/** A followed history; whoever follows goes on with `after`. */
const HISTORY_MS = 60 * 60_000;
const DECODE_MS = 2 * 60_000;

export function historyRoutes(routes: Routes, options: RunRoutesOptions): void {
  const { temporal, reader, inspect, authority, log, admitStream } = options;

  routes.get(`${RUN}/history`, 'metadata', async (c) => {
    admitStream(c);
    const run = runOf(c);
    const { after, live } = validate(historyQuery, c.req.query());
    const length = await lengthOf(temporal, run, c.req.raw.signal);
    if (after > length) throw badRequest(`The run has no event ${after}; its last is ${length}.`);
    return ndjson(c, (gone) => {
      const lifetime = lifetimeOf(c, options, gone, HISTORY_MS);
      return historyFrames({
        reader,
        inspect: inspectFor(c, authority.access, inspect),
        log,
        run,
        after,
        length,
        live,
        lifetime,
      });
    });
  });

  routes.post(`${RUN}/payloads:decode`, 'decode', async (c) => {
    const codec = openerFor(c, options);
    admitStream(c);
    const run = runOf(c);
    const { refs, justification: given } = validate(decodeRequest, await jsonBody(c));
    // Before Temporal is asked: who may not see a payload needn't learn which there are.
    const justification = await requireJustification(c, authority, { operation: 'decode', ...run }, given);
    const requests = await locatePayloads({ temporal, reader }, run, refs, c.req.raw.signal);
    const record = await begin(c, authority, { operation: 'decode', run, refs, justification });
    return ndjson(c, (gone) => {
      const lifetime = lifetimeOf(c, options, gone, DECODE_MS);
      const frames = decodeFrames(codec, log, requests, lifetime, record);
      return auditedStream(record, frames, tell, interruption(gone, lifetime));
    });
  });
}

function tell(record: NamespaceAccess, frame: DecodeFrame): Outcome | void {
  if (!('ok' in frame)) return outcomeOf(frame.reason);
  const { ref, key, namespace } = frame;
  if (frame.ok) record.done(key, 1, namespace);
  else record.refused(frame.reason, { ref, ...(key && { key }) }, namespace);
}
