import type { Digests } from '@temporal-kms/audit';
import {
  type FileEvents,
  fileDecodeRequest,
  fileEvents,
  fileEventsRequest,
  type FileEventsRequest,
  fileSearchRequest,
  type HistoryEvent,
  type PayloadRef,
} from '@temporal-kms/codec-api';
import {
  eventIdOf,
  eventPayloads,
  type PayloadContext,
  type StoredPayload,
  workflowContext,
} from '@temporal-kms/histories/payloads';
import type { Context } from 'hono';
import { decodeFrames } from '../history/decode-stream.ts';
import { heldEvents } from '../history/event-pages.ts';
import { historyEvent } from '../history/event.ts';
import { codecOfExports, filePayloads, inspectExported, parseFileEvents } from '../history/file-events.ts';
import { searchFrames } from '../history/search.ts';
import { type Grant, requireJustification } from '../http/authorise.ts';
import type { Env } from '../http/context.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import type { NamespaceAccess } from '../http/namespace-access.ts';
import { leaseOf, replyJsonWithin } from '../http/request-memory.ts';
import { digestsOf } from '../protocol/payload-digests.ts';
import {
  admitDecryption,
  beginAudit,
  codecOf,
  decodeResponse,
  lifetimeOf,
  type RunRoutesOptions,
  searchResponse,
  streamDecoded,
  streamFound,
} from './run-stream.ts';
import { inTurns } from '../turns/slices.ts';
import { inspectFor } from './workflows.ts';

const FILES = '/api/namespaces/{namespace}/history-files';
const INSPECT_MS = 30_000;

/** Whether requests to this path contain events of a history file. */
export const takesFileEvents = (path: string): boolean => /\/history-files:\w+$/.test(path);

interface HistoryFileOptions extends RunRoutesOptions {
  /** Computes digests for the audit. Undefined if the audit contains no digests. */
  readonly digests: Digests | undefined;
}

/**
 * Routes that describe, decrypt and search events of a client's history file. The server does not keep the
 * events.
 */
export const historyFileRoutes = (options: HistoryFileOptions): readonly Route[] => [
  inspectFile(options),
  decodeFile(options),
  searchFile(options),
];

function inspectFile(options: HistoryFileOptions): Route {
  const { authority, inspect } = options;
  return defineRoute({
    method: 'post',
    path: `${FILES}:inspect`,
    operationId: 'inspectHistoryFile',
    summary: 'Describes events of a history file, with placeholders for payloads',
    description:
      "Takes some of a file's events, as JSON from Temporal’s tools or as protobuf, and returns them in the form of " +
      '`streamHistory`. Makes no Cloud KMS request.',
    requires: 'metadata',
    body: fileEventsRequest,
    response: { description: 'The events', type: 'application/json', schema: fileEvents },
    handler: async (c, { grant, body }) => {
      const lifetime = lifetimeOf(c, options, c.req.raw.signal, INSPECT_MS);
      const inspectForCaller = inspectExported(inspectFor(c, authority.access, inspect));
      return replyJsonWithin(c, async (lease) => {
        const events: HistoryEvent[] = [];
        for (const event of await parseFileEvents(body, lease)) {
          await lifetime.checkpoint();
          const described = await historyEvent(event, homeOf(grant, body), inspectForCaller, lifetime);
          // A file contains no events that Temporal may still replace.
          events.push({ ...described, durable: true });
        }
        return { events } satisfies FileEvents;
      });
    },
  });
}

function decodeFile(options: HistoryFileOptions): Route {
  const { log } = options;
  return defineRoute({
    method: 'post',
    path: `${FILES}:decode`,
    operationId: 'decodeHistoryFile',
    summary:
      'Decrypts payloads in events of a history file, and returns the content or a reason code for each payload',
    description:
      'Decrypts payloads as `/decode` does, in the namespace that the path names. The response has the same form as for `decodePayloads`. ' +
      'The audit records the workflow id from the file, which the server cannot verify, with `"source": "file"`.',
    requires: 'decode',
    body: fileDecodeRequest,
    response: decodeResponse,
    admit: admitDecryption(options),
    handler: async (c, { grant, body }) => {
      const { refs } = body;
      const codec = codecOfExports(codecOf(c, options, grant));
      const justification = await justify(c, options, grant, body);
      const requests = filePayloads(await parseFileEvents(body, leaseOf(c)), refs, homeOf(grant, body));
      const held = requests.flatMap((request) => request.held ?? []);
      const record = await audit(c, options, grant, body, { held, refs, justification });
      return streamDecoded(c, options, record, (lifetime) =>
        decodeFrames(codec, log, requests, lifetime, record),
      );
    },
  });
}

function searchFile(options: HistoryFileOptions): Route {
  const { log, threads } = options;
  return defineRoute({
    method: 'post',
    path: `${FILES}:search`,
    operationId: 'searchHistoryFile',
    summary: 'Searches for text in the decrypted payloads of events of a history file',
    description:
      'Decrypts all payloads of the events. The response has the same form as for `searchHistory`, with the last event ' +
      'first. If the reason is `limit`, continue with the events before `after`. The audit records the workflow id ' +
      'from the file, which the server cannot verify, with `"source": "file"`.',
    requires: 'search',
    body: fileSearchRequest,
    response: searchResponse,
    admit: admitDecryption(options),
    handler: async (c, { grant, body }) => {
      const codec = codecOfExports(codecOf(c, options, grant));
      const reader = options.reader(grant);
      const justification = await justify(c, options, grant, body);
      const events = await parseFileEvents(body, leaseOf(c));
      const held = events.flatMap((event) => eventPayloads(event, homeOf(grant, body)));
      const record = await audit(c, options, grant, body, { held, justification });
      return streamFound(c, options, record, (lifetime) =>
        searchFrames({
          reader,
          pages: heldEvents(events),
          threads,
          codec,
          log,
          run: { workflowId: '', runId: '', namespace: grant.namespace, ...runOf(body) },
          record,
          request: { ...body, order: 'newest_first' },
          length: Math.max(...events.map(eventIdOf)),
          lifetime,
        }),
      );
    },
  });
}

type FileGrant = Grant<'decode' | 'search'>;
type FileDecryptRequest = FileEventsRequest & { readonly justification?: string | undefined };

/** The run that the file claims to belong to, which the server cannot verify. */
const runOf = ({ workflowId }: FileEventsRequest) => (workflowId === undefined ? {} : { workflowId });

function justify(
  c: Context<Env>,
  { authority }: HistoryFileOptions,
  grant: FileGrant,
  body: FileDecryptRequest,
): Promise<string | undefined> {
  const about = { ...runOf(body), source: 'file' } as const;
  return requireJustification(c, authority, grant, about, body.justification);
}

interface Decryption {
  readonly held: readonly Pick<StoredPayload, 'payload' | 'context'>[];
  readonly justification: string | undefined;
  readonly refs?: readonly PayloadRef[];
}

/** Begins the audit record for the decryption of payloads in a history file. */
async function audit(
  c: Context<Env>,
  { authority, inspect, digests }: HistoryFileOptions,
  grant: FileGrant,
  body: FileDecryptRequest,
  { held, ...more }: Decryption,
): Promise<NamespaceAccess> {
  const computeDigests = (of: Digests) => {
    const payloads = held.map(({ payload }) => payload);
    const infos = held.map(({ payload, context }) => inspect(payload, context));
    return digestsOf(of, payloads, infos, grant.namespace);
  };
  return beginAudit(c, authority, grant, {
    run: runOf(body),
    source: 'file',
    digests: digests && (await inTurns(computeDigests(digests))),
    ...more,
  });
}

/**
 * Returns the context of the file's payloads. If the file has no workflow id, payloads that are bound to a
 * workflow cannot be decrypted.
 */
const homeOf = (
  { namespace }: Grant<'metadata' | 'decode' | 'search'>,
  { workflowId = '' }: FileEventsRequest,
): PayloadContext => workflowContext({ namespace, workflowId });
