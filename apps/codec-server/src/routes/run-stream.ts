import { IncomingMessage, ServerResponse } from 'node:http';
import type { Outcome } from '@temporal-kms/audit';
import {
  type DecodeFrame,
  decodeFrame,
  type EndReason,
  type PayloadRef,
  type SearchFrame,
  searchFrame,
} from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import type { Logger } from 'pino';
import { ClientDisconnected } from '../errors.ts';
import { chargedCodec, type HistoryCodec } from '../history/decrypt-payload.ts';
import type { Run } from '../history/reader.ts';
import { type StreamLifetime, streamLifetime } from '../history/stream-limits.ts';
import type { TextThreads } from '../history/text-threads.ts';
import type { Authority, Decrypting, Grant } from '../http/authorise.ts';
import { type Env, isResponseClosed } from '../http/context.ts';
import type { AdmitStream } from '../http/limits.ts';
import { NamespaceAccess } from '../http/namespace-access.ts';
import { ndjson } from '../http/responses.ts';
import type { Inspect } from '../history/payload-stub.ts';
import { auditedStream } from '../audit/audited-stream.ts';
import type { GrantedServices, GrantedTemporal } from './granted.ts';

/** The path of one run. */
export const RUN = '/api/namespaces/{namespace}/workflows/{workflowId}/runs/{runId}';

/** What the routes of one run share. */
export interface RunRoutesOptions extends GrantedServices {
  readonly threads: TextThreads;
  readonly inspect: Inspect;
  readonly authority: Authority;
  readonly log: Logger;
  readonly admitStream: AdmitStream;
  /** Aborted when the process shuts down. */
  readonly stopping: AbortSignal;
}

/**
 * Returns how many durable events the run's history has now.
 * @throws HttpError `not_found`, `temporal_unavailable`
 */
export async function historyLength(
  temporal: Pick<GrantedTemporal, 'describe'>,
  { namespace, workflowId, runId }: Run,
  signal: AbortSignal,
): Promise<number> {
  const execution = { workflowId, runId };
  const { workflowExecutionInfo } = await temporal.describe({ namespace, execution }, signal);
  return Number(workflowExecutionInfo?.historyLength ?? 0);
}

/**
 * Returns the check of a route that decrypts: the caller may cause Cloud KMS requests, and there is room for a stream.
 * @returns throws HttpError 429 `rate_limited`, 503 `busy`
 */
export const admitDecryption =
  ({ authority: { rates }, admitStream }: Pick<RunRoutesOptions, 'authority' | 'admitStream'>) =>
  (c: Context<Env>): void => {
    const wait = rates.kms(c.get('account'))?.waitMs() ?? 0;
    if (wait > 0) throw rates.kmsExhausted(wait);
    admitStream(c);
  };

/** Returns the codec for a request; the Cloud KMS requests that it makes count for the caller's rate limit. */
export const codecOf = <P extends Decrypting>(
  c: Context<Env>,
  { codec, authority: { rates } }: Pick<RunRoutesOptions, 'codec' | 'authority'>,
  grant: Grant<P>,
): HistoryCodec<P> => chargedCodec(codec(grant), rates.kms(c.get('account')));

interface Reveal {
  /** Of the run. The namespace is the grant's. */
  readonly run: Partial<Pick<Run, 'workflowId' | 'runId'>>;
  readonly refs?: readonly PayloadRef[];
  /** The caller sent the payloads. */
  readonly source?: 'file';
  /** Digests of ciphertexts that the caller sent, by the namespace that they name. */
  readonly digests?: ReadonlyMap<string, readonly string[]> | undefined;
  /** As `requireJustification` returned it. */
  readonly justification: string | undefined;
}

/**
 * Writes the audit's `intent`. Call it last before the stream begins: each intent needs an outcome.
 * @throws HttpError `audit_unavailable`; ClientDisconnected
 */
export async function beginAudit(
  c: Context<Env>,
  authority: Authority,
  grant: Grant<Decrypting>,
  { run: { workflowId, runId }, refs, source, digests, justification }: Reveal,
): Promise<NamespaceAccess> {
  // A stream that no client reads would neither continue nor end.
  if (isResponseClosed(c)) throw new ClientDisconnected();
  const record = await NamespaceAccess.begin(c, authority, grant, {
    ...(workflowId === undefined ? {} : { workflowId }),
    ...(runId === undefined ? {} : { runId }),
    ...(refs === undefined ? {} : { refs }),
    ...(source === undefined ? {} : { source }),
    ...(digests === undefined ? {} : { digests }),
    ...(justification === undefined ? {} : { justification }),
  });
  if (!isResponseClosed(c)) return record;
  await record.end('cut_off');
  throw new ClientDisconnected();
}

/** Time for a stream that has ended to send its last line. */
const LAST_LINE_MS = 2_000;

/**
 * Returns the lifetime of a stream: it ends with `maxMs`, the caller's token, the connection or the process. A client
 * that does not read the last line in time is disconnected.
 *
 * A client whose token expired is disconnected in any case, unless a proxy shares the connection: the operating system
 * may still hold some MiB of plaintext, and the server cannot see whether they were read.
 */
export function lifetimeOf(
  c: Context<Env>,
  { stopping }: Pick<RunRoutesOptions, 'stopping'>,
  disconnected: AbortSignal,
  maxMs: number,
): StreamLifetime {
  const lifetime = streamLifetime({
    disconnected,
    stopping,
    expiresAt: c.get('caller').expiresAt,
    maxMs,
    memory: c.get('memory'),
  });
  const { incoming, outgoing, resetter } = c.env ?? {};
  if (!(incoming instanceof IncomingMessage && outgoing instanceof ServerResponse)) return lifetime;
  const ownsConnection = c.get('proxies') === undefined;
  const reset = resetter?.(incoming.socket, outgoing);
  const resetLater = (): void => {
    const reason = lifetime.interruption();
    if (reason === 'disconnected') return;
    setTimeout(() => {
      if ((reason === 'signed_out' && ownsConnection) || !outgoing.writableFinished) reset?.();
    }, LAST_LINE_MS).unref();
  };
  lifetime.signal.addEventListener('abort', resetLater, { once: true });
  // The signal may live for an hour. After an abort, this changes nothing.
  outgoing.once('close', () => lifetime.signal.removeEventListener('abort', resetLater));
  return lifetime;
}

/** Returns the audit's outcome for the end of a stream. */
export const outcomeOf = (reason: EndReason): Outcome => (reason === 'error' ? 'failed' : reason);

interface AuditedStream<T> {
  /** As `beginAudit` returned it. */
  readonly record: NamespaceAccess;
  readonly maxMs: number;
  readonly lines: (lifetime: StreamLifetime) => AsyncIterable<T>;
  /** Called for each line; an outcome that it returns replaces `complete`. */
  readonly count: (record: NamespaceAccess, line: T) => Outcome | void;
}

/** Returns a function that streams lines to a client within a lifetime and writes the audit's `outcome` at their end. */
export const auditedLines =
  <T>(
    c: Context<Env>,
    options: Pick<RunRoutesOptions, 'stopping'>,
    { record, maxMs, lines, count }: AuditedStream<T>,
  ) =>
  (disconnected: AbortSignal): AsyncGenerator<T, void> => {
    const lifetime = lifetimeOf(c, options, disconnected, maxMs);
    return auditedStream(record, lines(lifetime), count, () => interruption(disconnected, lifetime));
  };

const DECODE_MS = 2 * 60_000;
/** How long one request searches; clients continue with `after`. */
const SEARCH_MS = 60_000;

export const decodeResponse = {
  description: 'Results in the order in which they become ready, then an end',
  type: 'application/x-ndjson',
  schema: decodeFrame,
} as const;

/** Streams the results of payloads, and counts each for the audit. */
export function streamDecoded(
  c: Context<Env>,
  options: Pick<RunRoutesOptions, 'stopping'>,
  record: NamespaceAccess,
  lines: (lifetime: StreamLifetime) => AsyncIterable<DecodeFrame>,
): Response {
  return ndjson(c, auditedLines(c, options, { record, maxMs: DECODE_MS, lines, count: countDecoded }));
}

function countDecoded(record: NamespaceAccess, frame: DecodeFrame): Outcome | void {
  if (!('ok' in frame)) return outcomeOf(frame.reason);
  const { ref, key, namespace } = frame;
  if (frame.ok) record.done(key, 1, namespace);
  else record.refused(frame.reason, { ref, ...(key && { key }) }, namespace);
}

export const searchResponse = {
  description: 'Frames',
  type: 'application/x-ndjson',
  schema: searchFrame,
} as const;

/** Streams what a search finds. The search itself counts for the audit what it decrypts. */
export function streamFound(
  c: Context<Env>,
  options: Pick<RunRoutesOptions, 'stopping'>,
  record: NamespaceAccess,
  lines: (lifetime: StreamLifetime) => AsyncIterable<SearchFrame>,
): Response {
  return ndjson(c, auditedLines(c, options, { record, maxMs: SEARCH_MS, lines, count: searchOutcome }));
}

/** Returns the audit's outcome for the last frame of a search. */
export const searchOutcome = (_: NamespaceAccess, frame: SearchFrame): Outcome | undefined =>
  frame.type === 'end' ? outcomeOf(frame.reason) : undefined;

/** Returns the audit's outcome for a client that disconnected or was disconnected. */
export function interruption(
  disconnected: AbortSignal,
  lifetime: Pick<StreamLifetime, 'interruption'>,
): Outcome | undefined {
  if (!disconnected.aborted) return undefined;
  const reason = lifetime.interruption();
  return reason === undefined || reason === 'disconnected' ? 'cut_off' : reason;
}
