import { exportRequest } from '@temporal-kms/codec-api';
import { type ExportChunk, exportChunks } from '../history/export.ts';
import type { Run } from '../history/reader.ts';
import { requireJustification } from '../http/authorise.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import { textStream } from '../http/responses.ts';
import { responses } from '../http/schemas.ts';
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

const EXPORT_MS = 30 * 60_000;

export function exportRoute(options: RunRoutesOptions): Route {
  const { temporal, reader, threads, authority, log } = options;
  return defineRoute({
    method: 'post',
    path: `${RUN}/history:export`,
    operationId: 'exportHistory',
    summary: 'Exports a whole history as one JSON document',
    description:
      'Streams the document. It is complete if it parses as JSON: a document that was cut off stays unclosed, and its ' +
      'last line is `{"$truncated": {"reason", "after"}}` where the client was still connected.',
    requires: 'export',
    body: exportRequest,
    response: { description: 'The history', type: 'application/json', schema: responses.Export },
    admit: admitDecryption(options),
    handler: async (c, { parameters: run, body: { form, justification: given } }) => {
      const codec = codecOf(c, options);
      // An encoded export decrypts nothing, so it needs no justification.
      const justification =
        form === 'encoded'
          ? given
          : await requireJustification(c, authority, { operation: 'export', ...run }, given);
      const length = await historyLength(temporal, run, c.req.raw.signal);
      const record = await beginAudit(c, authority, { operation: 'export', run, justification });
      const headers = {
        'Content-Type': 'application/json',
        'Content-Disposition': `attachment; filename="${fileName(run, form)}"`,
      };
      const chunks = auditedLines(c, options, {
        record,
        maxMs: EXPORT_MS,
        lines: (lifetime) =>
          exportChunks({ reader, threads, codec, log, run, record, form, length, lifetime }),
        count: (_, { end }) => end && outcomeOf(end),
      });
      return textStream(c, headers, (disconnected) => textsOf(chunks(disconnected)));
    },
  });
}

async function* textsOf(chunks: AsyncIterable<ExportChunk>): AsyncGenerator<string, void> {
  for await (const { text } of chunks) yield text;
}

/** Only letters, digits and `._-` of an id reach the header and a disk. */
function fileName({ workflowId, runId }: Run, form: string): string {
  const safe = workflowId
    .replaceAll(/[^\w.-]+/g, '_')
    .replace(/^\.+/, '_')
    .slice(0, 100);
  return `${safe}.${runId}.${form}.json`;
}
