import type { EndReason, PayloadRef, Permission } from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import type { Logger } from 'pino';
import type { AuditRecord, Outcome } from '../audit/audit.ts';
import { lifetime, type Lifetime } from '../history/lifetime.ts';
import type { Opener } from '../history/open-one.ts';
import type { HistoryReader, Run } from '../history/reader.ts';
import type { Inspect } from '../history/stub.ts';
import type { Authority } from '../http/authorise.ts';
import { type Env, peerOf } from '../http/context.ts';
import { type Admit, isOver } from '../http/limits.ts';
import { GoneError } from '../refusal.ts';
import type { TemporalService } from '../temporal/service.ts';

/** What the routes that stream from one run's history use. */
export interface RunRoutesOptions {
  readonly temporal: TemporalService;
  readonly reader: HistoryReader;
  readonly codec: Opener;
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
  /** As `requireReason` gave it. */
  readonly reason: string | undefined;
}

/**
 * Writes the audit's `intent`. Call it last, before the stream begins: what has begun must end.
 * @throws Refusal `audit_unavailable`; `timeout` where nobody waits for the stream any more
 */
export async function begin(
  c: Context<Env>,
  { audit }: Authority,
  { operation, run, refs, reason }: Reveal,
): Promise<AuditRecord> {
  // A stream that nobody reads would neither go on nor end.
  if (isOver(c)) throw new GoneError();
  const record = await audit.begin({
    operation,
    caller: c.get('caller'),
    peer: peerOf(c),
    ...run,
    ...(refs === undefined ? {} : { refs }),
    ...(reason === undefined ? {} : { reason }),
  });
  if (!isOver(c)) return record;
  await record.end('cut_off');
  throw new GoneError();
}

/** Streams end with the caller's sign-in, whatever their own limit. */
export const lifetimeOf = (
  c: Context<Env>,
  { stopping }: Pick<RunRoutesOptions, 'stopping'>,
  gone: AbortSignal,
  maxMs: number,
): Lifetime => lifetime({ gone, stopping, expiresAt: c.get('caller').expiresAt, maxMs });

/** How the audit calls a stream's end. */
export const outcomeOf = (reason: EndReason): Outcome => (reason === 'error' ? 'failed' : reason);
