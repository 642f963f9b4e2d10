import { searchFrame, searchRequest } from '@temporal-kms/codec-api';
import { badRequest } from '../errors.ts';
import { searchFrames } from '../history/search.ts';
import { requireJustification } from '../http/authorise.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import { ndjson } from '../http/responses.ts';
import {
  admitDecryption,
  auditedLines,
  beginAudit,
  codecOf,
  historyLength,
  outcomeOf,
  RUN,
  type RunRoutesOptions,
} from './run-stream.ts';

/** How long one request searches; clients continue with `after`. */
const SEARCH_MS = 60_000;

export function searchRoute(options: RunRoutesOptions): Route {
  const { temporal, reader, threads, authority, log } = options;
  return defineRoute({
    method: 'post',
    path: `${RUN}/history:search`,
    operationId: 'searchHistory',
    summary: 'Searches for text in the decrypted payloads of a run',
    description:
      'Streams hits as they are found, each with its place and the matched text; the surrounding text is masked. Then ' +
      'follows an end. After an end of `limit`, continue with `after`.',
    requires: 'search',
    body: searchRequest,
    response: { description: 'Frames', type: 'application/x-ndjson', schema: searchFrame },
    admit: admitDecryption(options),
    handler: async (c, { parameters: run, body: request }) => {
      const codec = codecOf(c, options);
      const { after } = request;
      const justification = await requireJustification(
        c,
        authority,
        { operation: 'search', ...run },
        request.justification,
      );
      const length = await historyLength(temporal, run, c.req.raw.signal);
      if (after !== undefined && after > length + 1)
        throw badRequest(`The run has no event ${after}; its last is ${length}.`);
      const record = await beginAudit(c, authority, { operation: 'search', run, justification });
      const frames = auditedLines(c, options, {
        record,
        maxMs: SEARCH_MS,
        lines: (lifetime) =>
          searchFrames({ reader, threads, codec, log, run, record, request, length, lifetime }),
        count: (_, frame) => (frame.type === 'end' ? outcomeOf(frame.reason) : undefined),
      });
      return ndjson(c, frames);
    },
  });
}
