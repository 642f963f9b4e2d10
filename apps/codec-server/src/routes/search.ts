import { type SearchFrame, searchRequest } from '@temporal-kms/codec-api';
import { auditedStream } from '../audit/stream.ts';
import { requireJustification } from '../http/justification.ts';
import { searchFrames } from '../history/search.ts';
import { validate, jsonBody } from '../http/input.ts';
import { ndjson } from '../http/ndjson.ts';
import { badRequest } from '../errors.ts';
import type { Routes } from '../http/routes.ts';
import { lengthOf, RUN, runOf } from './run.ts';
import { begin, interruption, lifetimeOf, openerFor, outcomeOf, type RunRoutesOptions } from './stream.ts';

/** Whoever searches longer goes on with `after`. */
const SEARCH_MS = 60_000;

export function searchRoutes(routes: Routes, options: RunRoutesOptions): void {
  const { temporal, reader, threads, authority, log, admitStream } = options;

  routes.post(`${RUN}/history:search`, 'search', async (c) => {
    const codec = openerFor(c, options);
    admitStream(c);
    const run = runOf(c);
    const request = validate(searchRequest, await jsonBody(c));
    const { after } = request;
    const justification = await requireJustification(
      c,
      authority,
      { operation: 'search', ...run },
      request.justification,
    );
    const length = await lengthOf(temporal, run, c.req.raw.signal);
    if (after !== undefined && after > length + 1)
      throw badRequest(`The run has no event ${after}; its last is ${length}.`);
    const record = await begin(c, authority, { operation: 'search', run, justification });
    return ndjson(c, (gone) => {
      const lifetime = lifetimeOf(c, options, gone, SEARCH_MS);
      const frames = searchFrames({ reader, threads, codec, log, run, record, request, length, lifetime });
      return auditedStream(record, frames, (_, frame) => end(frame), interruption(gone, lifetime));
    });
  });
}

const end = (frame: SearchFrame): ReturnType<typeof outcomeOf> | undefined =>
  frame.type === 'end' ? outcomeOf(frame.reason) : undefined;
