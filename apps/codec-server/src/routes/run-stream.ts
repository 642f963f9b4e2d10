import { IncomingMessage, ServerResponse } from 'node:http';
import type { Outcome } from '@temporal-kms/audit';
import {
  type DecodeFrame,
  decodeFrame,
  type EndReason,
  type PayloadRef,
  type QueryAnswer,
  type SearchFrame,
  searchFrame,
} from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import type { Logger } from 'pino';
import { ClientDisconnected } from '../errors.ts';
import { chargedCodec, type HistoryCodec } from '../history/decrypt-payload.ts';
import type { Decrypting as DecryptingRuns } from '../history/decrypt-some.ts';
import type { Run } from '../history/reader.ts';
import { KmsCallBudget, type StreamLifetime, streamLifetime } from '../history/stream-limits.ts';
import type { TextThreads } from '../history/text-threads.ts';
import { type Authority, type Decrypting, type Grant, requireJustification } from '../http/authorise.ts';
import { type Env, isResponseClosed } from '../http/context.ts';
import type { AdmitStream } from '../http/limits.ts';
import { NamespaceAccess } from '../http/namespace-access.ts';
import { ndjson } from '../http/responses.ts';
import type { Inspect } from '../history/payload-stub.ts';
import type { MemoryLease } from '../memory.ts';
import { auditedStream } from '../audit/audited-stream.ts';
import type { GrantedServices, GrantedTemporal } from './granted.ts';

/** The path of one run. */
export const RUN = '/api/namespaces/{namespace}/workflows/{workflowId}/runs/{runId}';

/** Options that the routes of one run share. */
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
 * Returns the number of durable events in the run's history.
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
 * Returns the check for routes that decrypt. The check passes if the caller may cause Cloud KMS requests
 * and another stream may be opened.
 * @returns a function that throws HttpError 429 `rate_limited`, 503 `busy`
 */
export const admitDecryption =
  ({ authority: { rates }, admitStream }: Pick<RunRoutesOptions, 'authority' | 'admitStream'>) =>
  (c: Context<Env>): void => {
    const wait = rates.kms(c.get('account'))?.waitMs() ?? 0;
    if (wait > 0) throw rates.kmsExhausted(wait);
    admitStream(c);
  };

/**
 * Returns the codec for a request. The codec's Cloud KMS requests, and the bytes that it reads from external
 * storage, count towards the caller's rate limits.
 */
export function codecOf<P extends Decrypting>(
  c: Context<Env>,
  { codec, retrieval, authority: { rates } }: Pick<RunRoutesOptions, 'codec' | 'retrieval' | 'authority'>,
  grant: Grant<P>,
): HistoryCodec<P> {
  const account = c.get('account');
  return chargedCodec(
    { ...codec(grant), retrieval: retrieval(grant)(rates.storage(account)) },
    rates.kms(account),
  );
}

interface Reveal {
  /** The run's ids. The run's namespace is the grant's namespace. */
  readonly run: Partial<Pick<Run, 'workflowId' | 'runId'>>;
  readonly refs?: readonly PayloadRef[];
  /** The schedule, if the payloads belong to a schedule and not to a run. */
  readonly scheduleId?: string;
  /** The type of a query. */
  readonly query?: string;
  /** `file` if the caller sent the payloads. */
  readonly source?: 'file';
  /** Digests of the ciphertexts that the caller sent, by the namespace that the messages name. */
  readonly digests?: ReadonlyMap<string, readonly string[]> | undefined;
  /** The result of `requireJustification`. */
  readonly justification: string | undefined;
}

/**
 * Writes the audit's `intent`. Call this function last, immediately before the stream begins, because each
 * intent needs an outcome.
 * @throws HttpError `audit_unavailable`; ClientDisconnected
 */
export async function beginAudit(
  c: Context<Env>,
  authority: Authority,
  grant: Grant<Decrypting>,
  { run: { workflowId, runId }, refs, scheduleId, query, source, digests, justification }: Reveal,
): Promise<NamespaceAccess> {
  // After the response has closed, a stream would have no reader, and would hang forever.
  if (isResponseClosed(c)) throw new ClientDisconnected();
  const record = await NamespaceAccess.begin(c, authority, grant, {
    ...(workflowId === undefined ? {} : { workflowId }),
    ...(runId === undefined ? {} : { runId }),
    ...(refs === undefined ? {} : { refs }),
    ...(scheduleId === undefined ? {} : { scheduleId }),
    ...(query === undefined ? {} : { query, operation: 'query' }),
    ...(source === undefined ? {} : { source }),
    ...(digests === undefined ? {} : { digests }),
    ...(justification === undefined ? {} : { justification }),
  });
  if (!isResponseClosed(c)) return record;
  await record.end('cut_off');
  throw new ClientDisconnected();
}

/**
 * Returns functions that decrypt payloads of several runs, with separate audit entries for each run.
 * @throws the same HttpErrors as `requireJustification`
 */
export async function decryptingOf(
  c: Context<Env>,
  options: Pick<RunRoutesOptions, 'codec' | 'retrieval' | 'authority' | 'log'>,
  grant: Grant<'decode'>,
  given: string | undefined,
): Promise<DecryptingRuns> {
  const { authority, log } = options;
  const justification = await requireJustification(c, authority, grant, {}, given);
  const codec = codecOf(c, options, grant);
  return {
    codec,
    log,
    budget: new KmsCallBudget(codec),
    begin: (run, refs) => beginAudit(c, authority, grant, { run, refs, justification }),
  };
}

/** Returns the lifetime of a stream. Unlike `lifetimeOf`, does not disconnect the client when the lifetime ends. */
export const lifetimeWithoutReset = (
  c: Context<Env>,
  { stopping }: Pick<RunRoutesOptions, 'stopping'>,
  disconnected: AbortSignal,
  maxMs: number,
): StreamLifetime =>
  streamLifetime({
    disconnected,
    stopping,
    expiresAt: c.get('caller').expiresAt,
    maxMs,
    memory: c.get('memory'),
  });

/** How long a stream may take to send its last line after its lifetime has ended, in milliseconds. */
const LAST_LINE_MS = 2_000;

/**
 * Returns the lifetime of a stream, which ends after `maxMs`, when the caller's token expires, when the
 * client disconnects, or when the process shuts down. Disconnects a client that does not read the last line
 * in time.
 *
 * Always disconnects a client whose token has expired, because the operating system may still hold several
 * MiB of plaintext that the client has not read. The exception is a client behind a proxy, because other
 * clients may use the same connection.
 */
export function lifetimeOf(
  c: Context<Env>,
  options: Pick<RunRoutesOptions, 'stopping'>,
  disconnected: AbortSignal,
  maxMs: number,
): StreamLifetime {
  const lifetime = lifetimeWithoutReset(c, options, disconnected, maxMs);
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
  // Removes the listener, because the signal may live for an hour. After an abort, the listener has already
  // been removed.
  outgoing.once('close', () => lifetime.signal.removeEventListener('abort', resetLater));
  return lifetime;
}

/** Returns the audit outcome for the end of a stream. */
export const outcomeOf = (reason: EndReason): Outcome => (reason === 'error' ? 'failed' : reason);

interface AuditedStream<T> {
  /** The result of `beginAudit`. */
  readonly record: NamespaceAccess;
  readonly maxMs: number;
  readonly lines: (lifetime: StreamLifetime) => AsyncIterable<T>;
  /** Called for each line. An outcome that the function returns replaces `complete`. */
  readonly count: (record: NamespaceAccess, line: T) => Outcome | void;
}

/**
 * Returns a function that streams lines to a client within a lifetime, and writes the audit's `outcome` at
 * the end.
 */
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
/** Maximum duration of a search, in milliseconds. A client continues with `after` in another request. */
const SEARCH_MS = 60_000;

export const decodeResponse = {
  description: 'The results, in the order in which they become ready, followed by an `end`',
  type: 'application/x-ndjson',
  schema: decodeFrame,
} as const;

/** Streams the results of payloads, and counts each result for the audit. */
export function streamDecoded(
  c: Context<Env>,
  options: Pick<RunRoutesOptions, 'stopping'>,
  record: NamespaceAccess,
  lines: (lifetime: StreamLifetime) => AsyncIterable<DecodeFrame | QueryAnswer>,
): Response {
  return ndjson(c, auditedLines(c, options, { record, maxMs: DECODE_MS, lines, count: countDecoded }));
}

function countDecoded(record: NamespaceAccess, frame: DecodeFrame | QueryAnswer): Outcome | void {
  if (!('ok' in frame)) return frame.type === 'end' ? outcomeOf(frame.reason) : undefined;
  const { ref, key, namespace } = frame;
  if (frame.ok) record.done(key, 1, namespace);
  else record.refused(frame.reason, { ref, ...(key && { key }) }, namespace);
}

export const searchResponse = {
  description: 'Frames',
  type: 'application/x-ndjson',
  schema: searchFrame,
} as const;

/** Streams the frames of a search. The search itself counts the decrypted payloads for the audit. */
export function streamFound(
  c: Context<Env>,
  options: Pick<RunRoutesOptions, 'stopping'>,
  record: NamespaceAccess,
  lines: (lifetime: StreamLifetime) => AsyncIterable<SearchFrame>,
): Response {
  return ndjson(c, auditedLines(c, options, { record, maxMs: SEARCH_MS, lines, count: searchOutcome }));
}

/** Returns the audit outcome for the last frame of a search. */
export const searchOutcome = (_: NamespaceAccess, frame: SearchFrame): Outcome | undefined =>
  frame.type === 'end' ? outcomeOf(frame.reason) : undefined;

/** Returns the audit outcome if the client disconnected or was disconnected. */
export function interruption(
  disconnected: AbortSignal,
  lifetime: Pick<StreamLifetime, 'interruption'>,
): Outcome | undefined {
  if (!disconnected.aborted) return undefined;
  const reason = lifetime.interruption();
  return reason === undefined || reason === 'disconnected' ? 'cut_off' : reason;
}

/**
 * Yields the lines. In a test that calls the app without a port, then ends the lease; in the server, the
 * closing connection ends the lease.
 */
export async function* withLease<T>(
  c: Context<Env>,
  lease: MemoryLease,
  lines: AsyncIterable<T>,
): AsyncGenerator<T, void> {
  try {
    yield* lines;
  } finally {
    if (c.env?.outgoing === undefined) lease.end();
  }
}
