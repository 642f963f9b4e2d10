import {
  decodeRequest,
  exportFileName,
  exportRequest,
  historyFrame,
  historyQuery,
  searchRequest,
} from '@temporal-kms/codec-api';
import { badRequest } from '../errors.ts';
import { decodeFrames } from '../history/decode-stream.ts';
import { type ExportChunk, exportChunks } from '../history/export.ts';
import { historyFrames } from '../history/history-stream.ts';
import { locatePayloads } from '../history/locate-payloads.ts';
import type { Run } from '../history/reader.ts';
import { searchFrames } from '../history/search.ts';
import { requireJustification } from '../http/authorise.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import { ndjson, textStream } from '../http/responses.ts';
import { responses } from './openapi.ts';
import {
  admitDecryption,
  auditedLines,
  beginAudit,
  codecOf,
  decodeResponse,
  historyLength,
  lifetimeOf,
  outcomeOf,
  RUN,
  type RunRoutesOptions,
  searchResponse,
  streamDecoded,
  streamFound,
} from './run-stream.ts';
import { inspectFor } from './workflows.ts';

/** How long a stream follows a history, in milliseconds. A client continues with `after` in another request. */
const HISTORY_MS = 60 * 60_000;
const EXPORT_MS = 30 * 60_000;

/** Routes that stream a run's history, decrypt payloads by ref, and search and export the history. */
export const historyRoutes = (options: RunRoutesOptions): readonly Route[] => [
  streamHistory(options),
  decodePayloads(options),
  searchHistory(options),
  exportHistory(options),
];

function streamHistory(options: RunRoutesOptions): Route {
  const { inspect, authority, log, admitStream } = options;
  return defineRoute({
    method: 'get',
    path: `${RUN}/history`,
    operationId: 'streamHistory',
    summary: "Streams a run's events in order, with placeholders for payloads",
    description:
      'Streams events as they are read, at most 250 in a line, and makes no Cloud KMS request. With `Accept-Encoding: gzip` the stream is compressed, ' +
      'line by line. The last line contains the reason for the end and ' +
      'the last event. A stream without such a line was truncated: request the rest with `after`. With `limit` the stream ends ' +
      'after that many events, with the reason `limit`.',
    requires: 'metadata',
    query: historyQuery,
    response: { description: 'Frames', type: 'application/x-ndjson', schema: historyFrame },
    admit: admitStream,
    handler: async (c, { grant, parameters: run, query: { after, limit, live } }) => {
      const length = await historyLength(options.temporal(grant), run, c.req.raw.signal);
      const reader = options.reader(grant);
      if (after > length)
        throw badRequest(`The run has no event ${after}; its last event is event ${length}.`);
      return ndjson(
        c,
        (disconnected) =>
          historyFrames({
            reader,
            inspect: inspectFor(c, authority.access, inspect),
            log,
            run,
            after,
            length,
            limit,
            live,
            lifetime: lifetimeOf(c, options, disconnected, HISTORY_MS),
          }),
        // The stream is compressed, because it contains no plaintext of payloads.
        { compress: true },
      );
    },
  });
}

function decodePayloads(options: RunRoutesOptions): Route {
  const { authority, log } = options;
  return defineRoute({
    method: 'post',
    path: `${RUN}/payloads:decode`,
    operationId: 'decodePayloads',
    summary:
      'Decrypts payloads of a run by their refs, and returns the content or a reason code for each payload',
    description:
      'A message that names another namespace fails with `namespace_not_permitted` unless the caller has the ' +
      'permission `decode` in that namespace too. In searches and exports, the permission is `search` or `export` instead.',
    requires: 'decode',
    body: decodeRequest,
    response: decodeResponse,
    admit: admitDecryption(options),
    handler: async (c, { grant, parameters: run, body: { refs, justification: given } }) => {
      const codec = codecOf(c, options, grant);
      // Checks the justification before Temporal is called, because a caller who may not see payloads must
      // not learn which payloads exist.
      const justification = await requireJustification(c, authority, grant, idsOf(run), given);
      const requests = await locatePayloads(
        { temporal: options.temporal(grant), reader: options.reader(grant), memory: c.get('memory') },
        run,
        refs,
        c.req.raw.signal,
      );
      const release = (): void => requests.forEach((request) => request.release());
      // Releases the payloads even if the response never begins.
      c.env?.outgoing?.once('close', release);
      const record = await beginAudit(c, authority, grant, { run, refs, justification }).catch((error) => {
        release();
        throw error;
      });
      return streamDecoded(c, options, record, (lifetime) =>
        decodeFrames(codec, log, requests, lifetime, record),
      );
    },
  });
}

function searchHistory(options: RunRoutesOptions): Route {
  const { threads, authority, log } = options;
  return defineRoute({
    method: 'post',
    path: `${RUN}/history:search`,
    operationId: 'searchHistory',
    summary: 'Searches for text in the decrypted payloads of a run',
    description:
      'Streams hits as they are found, each with its position and the matched text. The surrounding text is masked. ' +
      'The last line is an `end`. If the reason is `limit`, continue with `after`.',
    requires: 'search',
    body: searchRequest,
    response: searchResponse,
    admit: admitDecryption(options),
    handler: async (c, { grant, parameters: run, body: request }) => {
      const codec = codecOf(c, options, grant);
      const reader = options.reader(grant);
      const { after } = request;
      const justification = await requireJustification(
        c,
        authority,
        grant,
        idsOf(run),
        request.justification,
      );
      const length = await historyLength(options.temporal(grant), run, c.req.raw.signal);
      if (after !== undefined && after > length + 1)
        throw badRequest(`The run has no event ${after}; its last event is event ${length}.`);
      const record = await beginAudit(c, authority, grant, { run, justification });
      return streamFound(c, options, record, (lifetime) =>
        searchFrames({ reader, threads, codec, log, run, record, request, length, lifetime }),
      );
    },
  });
}

function exportHistory(options: RunRoutesOptions): Route {
  const { threads, authority, log } = options;
  return defineRoute({
    method: 'post',
    path: `${RUN}/history:export`,
    operationId: 'exportHistory',
    summary: 'Exports a whole history, or some of its events, as one JSON document',
    description:
      'Streams the document. The document is complete if it parses as JSON: a truncated document stays unclosed, and its ' +
      'last line is `{"$truncated": {"reason", "after"}}` if the client was still connected.',
    requires: 'export',
    body: exportRequest,
    response: { description: 'The history', type: 'application/json', schema: responses.Export },
    admit: admitDecryption(options),
    handler: async (c, { grant, parameters: run, body: { form, events, justification: given } }) => {
      const codec = codecOf(c, options, grant);
      const reader = options.reader(grant);
      // An encoded export decrypts nothing, so it needs no justification.
      const justification =
        form === 'encoded' ? given : await requireJustification(c, authority, grant, idsOf(run), given);
      const length = await historyLength(options.temporal(grant), run, c.req.raw.signal);
      if (events !== undefined && (events.last < events.first || events.last > length)) {
        throw badRequest(
          `The run has no events ${events.first} to ${events.last}; its last event is event ${length}.`,
        );
      }
      const record = await beginAudit(c, authority, grant, { run, justification });
      const headers = {
        'Content-Type': 'application/json',
        'Content-Disposition': `attachment; filename="${exportFileName(run, form)}"`,
      };
      const chunks = auditedLines(c, options, {
        record,
        maxMs: EXPORT_MS,
        lines: (lifetime) =>
          exportChunks({
            reader,
            threads,
            codec,
            log,
            run,
            record,
            form,
            length,
            lifetime,
            ...(events && { events }),
          }),
        count: (_, { end }) => end && outcomeOf(end),
      });
      return textStream(c, headers, (disconnected) => textsOf(chunks(disconnected)));
    },
  });
}

const idsOf = ({ workflowId, runId }: Run): Pick<Run, 'workflowId' | 'runId'> => ({ workflowId, runId });

async function* textsOf(chunks: AsyncIterable<ExportChunk>): AsyncGenerator<string, void> {
  for await (const { text } of chunks) yield text;
}
