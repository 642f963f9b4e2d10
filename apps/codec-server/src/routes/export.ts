import { exportRequest } from '@temporal-kms/codec-api';
import { requireJustification } from '../http/justification.ts';
import type { Outcome } from '../audit/audit.ts';
import { auditedStream } from '../audit/stream.ts';
import { exportChunks, type ExportChunk } from '../history/export.ts';
import type { Run } from '../history/reader.ts';
import { validate, jsonBody } from '../http/input.ts';
import { textStream } from '../http/ndjson.ts';
import type { Routes } from '../http/routes.ts';
import { lengthOf, RUN, runOf } from './run.ts';
import { begin, interruption, lifetimeOf, openerFor, outcomeOf, type RunRoutesOptions } from './stream.ts';

const EXPORT_MS = 30 * 60_000;

export function exportRoutes(routes: Routes, options: RunRoutesOptions): void {
  const { temporal, reader, threads, authority, log, admitStream } = options;

  routes.post(`${RUN}/history:export`, 'export', async (c) => {
    const codec = openerFor(c, options);
    admitStream(c);
    const run = runOf(c);
    const { form, justification: given } = validate(exportRequest, await jsonBody(c));
    // Encoded it stays sealed, so nobody has to say why.
    const justification =
      form === 'encoded'
        ? given
        : await requireJustification(c, authority, { operation: 'export', ...run }, given);
    const length = await lengthOf(temporal, run, c.req.raw.signal);
    const record = await begin(c, authority, { operation: 'export', run, justification });
    const headers = {
      'Content-Type': 'application/json',
      'Content-Disposition': `attachment; filename="${fileName(run, form)}"`,
    };
    return textStream(c, headers, (gone) => {
      const lifetime = lifetimeOf(c, options, gone, EXPORT_MS);
      const chunks = exportChunks({ reader, threads, codec, log, run, record, form, length, lifetime });
      return texts(auditedStream(record, chunks, tell, interruption(gone, lifetime)));
    });
  });
}

const tell = (_: unknown, { end }: ExportChunk): Outcome | undefined => end && outcomeOf(end);

async function* texts(chunks: AsyncIterable<ExportChunk>): AsyncGenerator<string, void> {
  for await (const { text } of chunks) yield text;
}

/** Nothing of an id gets into the header or onto a disk but letters, digits and `._-`. */
function fileName({ workflowId, runId }: Run, form: string): string {
  const safe = workflowId
    .replaceAll(/[^\w.-]+/g, '_')
    .replace(/^\.+/, '_')
    .slice(0, 100);
  return `${safe}.${runId}.${form}.json`;
}
