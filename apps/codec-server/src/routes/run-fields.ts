import {
  decodeFieldsRequest,
  runFieldsFrame,
  runFieldsRequest,
  type RunFieldsRequest,
  type WorkflowSummary,
} from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import { readPage } from '../history/event-pages.ts';
import { unreadRun, type Visited } from '../history/over-runs.ts';
import {
  decodedFields,
  type DecodingFields,
  namedPayloads,
  plainFields,
  type RunFields,
  runFieldsFrames,
} from '../history/run-fields.ts';
import type { Grant } from '../http/authorise.ts';
import type { Env } from '../http/context.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import type { Reading } from './granted.ts';
import { streamOverRuns } from './run-pages.ts';
import { admitDecryption, decryptingOf, type RunRoutesOptions } from './run-stream.ts';

const WORKFLOWS = '/api/namespaces/{namespace}/workflows';

const response = { description: 'Frames', type: 'application/x-ndjson', schema: runFieldsFrame } as const;

/** The routes that read the fields of all runs that match a visibility query, to compare sets of runs. */
export const runFieldsRoutes = (options: RunRoutesOptions): readonly Route[] => [
  defineRoute({
    method: 'post',
    path: `${WORKFLOWS}:fields`,
    operationId: 'readRunFields',
    summary: 'Reads those fields of runs that need no decryption, to compare sets of runs',
    description:
      'For up to 200 runs that match a visibility query, in the order in which Temporal lists them, streams fields such as ' +
      'the task queue, worker and build of the first workflow task, the hour, key version, sizes, duration and search ' +
      'attributes. With `sample`, reads runs from several times instead of the newest runs. If the reason is `limit`, ' +
      'continue with `after`.',
    requires: 'metadata',
    body: runFieldsRequest,
    response,
    admit: options.admitStream,
    handler: (c, { grant, body }) => streamFields(c, options, grant, body),
  }),
  defineRoute({
    method: 'post',
    path: `${WORKFLOWS}:decode-fields`,
    operationId: 'decodeRunFields',
    summary: 'Reads the fields of runs, including the fields of their decrypted inputs and memos',
    description:
      'Like `readRunFields`, but also decrypts the arguments and the memo of each run, up to 200 payloads. The audit has separate ' +
      'entries for each run whose payloads are decrypted.',
    requires: 'decode',
    body: decodeFieldsRequest,
    response,
    admit: admitDecryption(options),
    handler: async (c, { grant, body }) => {
      const decrypting = await decryptingOf(c, options, grant, body.justification);
      return await streamFields(c, options, grant, body, { ...decrypting, threads: options.threads });
    },
  }),
];

async function streamFields<P extends Reading>(
  c: Context<Env>,
  options: RunRoutesOptions,
  grant: Grant<P>,
  { query, after, runs, sample }: RunFieldsRequest,
  decoding?: DecodingFields,
): Promise<Response> {
  const { namespace } = grant;
  const reader = options.reader(grant);
  return await streamOverRuns(c, options, grant, { query, after, sample }, (stream, perRun) => {
    const read = async (listed: WorkflowSummary): Promise<Visited<RunFields>> => {
      const run = { namespace, workflowId: listed.workflowId, runId: listed.runId };
      let page: Awaited<ReturnType<typeof readPage>>;
      try {
        page = await readPage(reader, run, 1, perRun);
      } catch (error) {
        return unreadRun(error, stream, 'fields');
      }
      try {
        const [started] = page.events;
        if (started === undefined)
          return { status: 'failed', message: 'Temporal returned no event of the run.' };
        const fields = plainFields(listed, page.events, namespace, options.inspect);
        const named = decoding === undefined ? [] : namedPayloads(started, run);
        if (decoding === undefined || named.length === 0)
          return { status: 'read', value: { fields, unreadable: {} } };
        const decoded = await decodedFields(run, named, decoding, perRun);
        if (decoded === undefined) return { status: 'limit' };
        return { status: 'read', value: { ...decoded, fields: { ...fields, ...decoded.fields } } };
      } finally {
        page.release();
      }
    };
    return runFieldsFrames({ ...stream, most: runs, read, kmsCalls: () => decoding?.budget.used ?? 0 });
  });
}
