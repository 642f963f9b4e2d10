import { IncomingMessage, ServerResponse } from 'node:http';
import type { EndReason, PayloadRef, Permission } from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import type { Logger } from 'pino';
import type { Outcome } from '../audit/audit.ts';
import { type StreamLifetime, streamLifetime } from '../history/stream-limits.ts';
import { chargedCodec, type HistoryCodec } from '../history/decrypt-payload.ts';
import type { HistoryReader, Run } from '../history/reader.ts';
import type { Inspect } from '../history/payload-stub.ts';
import type { TextThreads } from '../history/text-threads.ts';
import type { Authority } from '../http/authorise.ts';
import type { Env } from '../http/context.ts';
import { isResponseClosed } from '../http/request-signal.ts';
import type { Admit } from '../http/limits.ts';
import { NamespaceAccess } from '../http/namespace-access.ts';
import { ClientDisconnected } from '../errors.ts';
import type { TemporalService } from '../temporal/service.ts';

/** What the routes that stream from one run's history use. */
export interface RunRoutesOptions {
  readonly temporal: TemporalService;
  readonly reader: HistoryReader;
  readonly threads: TextThreads;
  readonly codec: HistoryCodec;
  readonly inspect: Inspect;
  readonly authority: Authority;
  readonly log: Logger;
  readonly admitStream: Admit;
  readonly stopping: AbortSignal;
}

interface Reveal {
  readonly operation: Extract<Permission, 'decode' | 'search' | 'export'>;
  readonly run: Run;
  readonly refs?: readonly PayloadRef[];
  /** As `requireJustification` gave it. */
  readonly justification: string | undefined;
}

/**
 * Writes the audit's `intent`. Call it last, before the stream begins: what has begun must end.
 * @throws HttpError `audit_unavailable`; `timeout` where nobody waits for the stream any more
 */
export async function begin(
  c: Context<Env>,
  authority: Authority,
  { operation, run, refs, justification }: Reveal,
): Promise<NamespaceAccess> {
  // A stream that nobody reads would neither go on nor end.
  if (isResponseClosed(c)) throw new ClientDisconnected();
  const record = await NamespaceAccess.begin(c, authority, {
    operation,
    ...run,
    ...(refs === undefined ? {} : { refs }),
    ...(justification === undefined ? {} : { justification }),
  });
  if (!isResponseClosed(c)) return record;
  await record.end('cut_off');
  throw new ClientDisconnected();
}

/**
 * The codec for a request that decrypts: its caller is charged for what it makes Cloud KMS be asked.
 * @throws HttpError 429 `rate_limited` for a caller who has used that up
 */
export function openerFor(
  c: Context<Env>,
  { codec, authority: { rates } }: Pick<RunRoutesOptions, 'codec' | 'authority'>,
): HistoryCodec {
  const allowance = rates.kms(c.get('caller'));
  const wait = allowance?.waitMs() ?? 0;
  if (wait > 0) throw rates.kmsExhausted(wait);
  return chargedCodec(codec, allowance);
}

/** For a stream that is over to say why, and for its reader to take it. */
const LAST_WORD_MS = 2_000;

/**
 * Streams end with the caller's sign-in, whatever their own limit. A reader who is too slow to hear of an end is cut; one
 * who is signed in no more is in any case, as long as the connection is theirs: what the operating system has yet to send
 * of plaintext is as much as some MiB, and nobody can say whether it has been read.
 */
export function lifetimeOf(
  c: Context<Env>,
  { stopping }: Pick<RunRoutesOptions, 'stopping'>,
  gone: AbortSignal,
  maxMs: number,
): StreamLifetime {
  const own = streamLifetime({
    disconnected: gone,
    stopping,
    expiresAt: c.get('caller').expiresAt,
    maxMs,
    memory: c.get('memory'),
  });
  const { incoming, outgoing, resetter } = c.env ?? {};
  if (!(incoming instanceof IncomingMessage && outgoing instanceof ServerResponse)) return own;
  const isTheirs = c.get('proxies') === undefined;
  const reset = resetter?.(incoming.socket, outgoing);
  const cutLater = (): void => {
    const why = own.interruption();
    if (why === 'disconnected') return;
    setTimeout(() => {
      if ((why === 'signed_out' && isTheirs) || !outgoing.writableFinished) reset?.();
    }, LAST_WORD_MS).unref();
  };
  own.signal.addEventListener('abort', cutLater, { once: true });
  // The signal may be kept for an hour yet. Once it has been aborted, this comes too late.
  outgoing.once('close', () => own.signal.removeEventListener('abort', cutLater));
  return own;
}

/** How the audit calls a stream's end. */
export const outcomeOf = (reason: EndReason): Outcome => (reason === 'error' ? 'failed' : reason);

/** The same where its reader has gone, or was cut. */
export const interruption =
  (gone: AbortSignal, lifetime: Pick<StreamLifetime, 'interruption'>) => (): Outcome | undefined => {
    if (!gone.aborted) return undefined;
    const why = lifetime.interruption();
    return why === undefined || why === 'disconnected' ? 'cut_off' : why;
  };
