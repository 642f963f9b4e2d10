import type { Outcome } from '@temporal-kms/audit';
import {
  decodeFieldsRequest,
  runFieldsFrame,
  runFieldsRequest,
  type RunFieldsRequest,
  type WorkflowSummary,
} from '@temporal-kms/codec-api';
import type { ProtoEvent } from '@temporal-kms/histories/payloads';
import type { Context } from 'hono';
import { readPage } from '../history/event-pages.ts';
import { pageTokenOf } from '../history/over-runs.ts';
import type { Run } from '../history/reader.ts';
import {
  decodedFields,
  namedPayloads,
  plainFields,
  type RunFields,
  runFieldsFrames,
  type UnreadRun,
} from '../history/run-fields.ts';
import { KmsCallBudget, streamEnd, type StreamLifetime } from '../history/stream-limits.ts';
import { type Grant, requireJustification } from '../http/authorise.ts';
import type { Env } from '../http/context.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import { ndjson } from '../http/responses.ts';
import { runPages } from './run-pages.ts';
import {
  admitDecryption,
  beginAudit,
  codecOf,
  interruption,
  lifetimesOverRuns,
  type RunRoutesOptions,
} from './run-stream.ts';

const FIELDS_MS = 60_000;

const WORKFLOWS = '/api/namespaces/{namespace}/workflows';

const response = { description: 'Frames', type: 'application/x-ndjson', schema: runFieldsFrame } as const;

/** The routes that read the fields of all runs that match a visibility query, to compare sets of runs. */
export const runFieldsRoutes = (options: RunRoutesOptions): readonly Route[] => [
  defineRoute({
    method: 'post',
    path: `${WORKFLOWS}:fields`,
    operationId: 'readRunFields',
    summary: 'Reads the fields of runs that need no decryption, to compare sets of runs',
    description:
      'Streams up to 200 runs that match a visibility query, in the order of the list: queue, worker and build of the first ' +
      'workflow task, hour, key version, sizes, duration and search attributes. If the reason is `limit`, continue with `after`.',
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
    summary: 'Reads the fields of runs, also those of their decrypted inputs and memos',
    description:
      'As `readRunFields`, and decrypts the arguments and the memo of each run, up to 200 payloads. The audit has separate ' +
      'entries for each run of which a payload is decrypted.',
    requires: 'decode',
    body: decodeFieldsRequest,
    response,
    admit: admitDecryption(options),
    handler: async (c, { grant, body: { justification: given, ...request } }) => {
      const justification = await requireJustification(c, options.authority, grant, {}, given);
      return streamFields(c, options, grant, request, startDecoder(c, options, grant, justification));
    },
  }),
];

/** Decrypts the arguments and memos of runs, within one budget of Cloud KMS calls. */
interface StartDecoder {
  readonly decode: (
    run: Run,
    started: ProtoEvent,
    lifetime: StreamLifetime,
  ) => Promise<RunFields | undefined>;
  readonly kmsCalls: () => number;
}

function startDecoder(
  c: Context<Env>,
  options: RunRoutesOptions,
  grant: Grant<'decode'>,
  justification: string | undefined,
): StartDecoder {
  const { threads, authority, log } = options;
  const codec = codecOf(c, options, grant);
  const budget = new KmsCallBudget(codec);
  return {
    kmsCalls: () => budget.used,
    decode: async (run, started, lifetime) => {
      const named = namedPayloads(started, run);
      if (named.length === 0) return { fields: {}, unreadable: {} };
      const refs = named.map(({ ref }) => ref);
      const record = await beginAudit(c, authority, grant, { run, refs, justification });
      let outcome: Outcome = 'failed';
      try {
        const decoded = await decodedFields(named, { threads, codec, log, record, lifetime, budget });
        outcome = decoded === undefined ? 'limit' : 'complete';
        return decoded;
      } finally {
        await record.end(interruption(lifetime.signal, lifetime) ?? outcome);
      }
    },
  };
}

async function streamFields(
  c: Context<Env>,
  options: RunRoutesOptions,
  grant: Grant<'metadata'> | Grant<'decode'>,
  { query, after, runs }: RunFieldsRequest,
  decoder?: StartDecoder,
): Promise<Response> {
  const pages = runPages<'metadata' | 'decode'>(c, options, grant, query);
  const first = await pages(pageTokenOf(after), c.req.raw.signal);
  return ndjson(c, (disconnected) => {
    const { lifetime, perRun, stop } = lifetimesOverRuns(c, options, disconnected, FIELDS_MS);
    return runFieldsFrames({
      log: options.log,
      lifetime,
      after,
      most: runs,
      page: async (token) => (token === first.token ? first : pages(token, lifetime.signal)),
      stop,
      read: (run) => readRun(options, grant, run, perRun, decoder),
      kmsCalls: () => decoder?.kmsCalls() ?? 0,
    });
  });
}

/** Returns undefined if the budget of Cloud KMS calls is used up. */
async function readRun(
  options: RunRoutesOptions,
  grant: Grant<'metadata'> | Grant<'decode'>,
  listed: WorkflowSummary,
  lifetime: StreamLifetime,
  decoder: StartDecoder | undefined,
): Promise<RunFields | UnreadRun | undefined> {
  const { namespace } = grant;
  const run = { namespace, workflowId: listed.workflowId, runId: listed.runId };
  let page: Awaited<ReturnType<typeof readPage>>;
  try {
    page = await readPage(options.reader(grant), run, 1, lifetime);
  } catch (error) {
    // For example, the run's retention period has ended since the list was read.
    const end = streamEnd(error, lifetime, options.log, 'fields');
    if (end === undefined) throw error;
    return { failure: end.message ?? '' };
  }
  try {
    const [started] = page.events;
    if (started === undefined) return { failure: 'Temporal returned no event of the run.' };
    const fields = plainFields(listed, page.events, namespace, options.inspect);
    if (decoder === undefined) return { fields, unreadable: {} };
    const decoded = await decoder.decode(run, started, lifetime);
    return decoded && { ...decoded, fields: { ...fields, ...decoded.fields } };
  } finally {
    page.release();
  }
}
