import { randomUUID } from 'node:crypto';
import {
  type AuditEntry,
  type KeyUse,
  MAX_REFS,
  type PayloadRef,
  type Permission,
  type ReasonCode,
} from '@temporal-kms/codec-api';
import type { Caller } from '../access/access.ts';
import type { AuditSink } from './sink.ts';
import { Tally } from './tally.ts';

/** What is about to be done, and for whom. No content, and no token. */
export interface Intent {
  readonly operation: Permission;
  readonly caller: Caller;
  /** Address of the connection's other end. */
  readonly peer: string | undefined;
  readonly namespace: string | undefined;
  /**
   * The namespace of the request, where a message of another namespace is to be decrypted for it: run and refs are of
   * that namespace.
   */
  readonly requestNamespace?: string;
  readonly workflowId?: string;
  readonly runId?: string;
  /** Which payloads, where the caller named them. */
  readonly refs?: readonly string[];
  /** Digests of the ciphertexts, where the caller sent them and there is a key. */
  readonly digests?: readonly string[];
  /** Why, in the caller's words, where the namespace asks for it. */
  readonly justification?: string;
}

export type Denied = NonNullable<AuditEntry['denied']>;
export type Outcome = NonNullable<AuditEntry['outcome']>['result'];

interface RepeatedDenial {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly count: number;
}

/** One operation under way: told what became of each payload, and at the end how it ended. */
export interface AuditRecord {
  /** Payloads were opened or sealed under one key, one unless told. */
  done(key?: KeyUse, payloads?: number): void;
  /** @param of which payload; the audit's line names its key */
  refused(code: ReasonCode, of?: { readonly ref?: PayloadRef; readonly key?: KeyUse }): void;
  /**
   * Writes the `outcome` line, once; what comes after the first is ignored.
   * @throws HttpError `audit_unavailable`: give no plaintext out
   */
  end(result: Outcome): Promise<void>;
}

export interface Audit {
  /**
   * Writes the `intent` line. Nothing may be decrypted before it has resolved.
   * @throws HttpError `audit_unavailable`
   */
  begin(intent: Intent): Promise<AuditRecord>;
  /**
   * @param repeated absent: this refusal; else so many like it, of which none has a line of its own
   * @throws HttpError `audit_unavailable`
   */
  denied(intent: Intent, why: Denied, repeated?: RepeatedDenial): Promise<void>;
  /** Resolves once every operation that has begun has its outcome line, or failed to get one. */
  settled(): Promise<void>;
}

/** @param now milliseconds since 1970 */
export function createAudit(sink: Pick<AuditSink, 'write'>, now: () => number = Date.now): Audit {
  let underWay = 0;
  let settled: PromiseWithResolvers<void> | undefined;
  const time = timestamps(now);

  const outcome = async (intent: Intent, id: string, result: Outcome, tally: Tally): Promise<void> => {
    try {
      await sink.write(entryOf(time(), id, 'outcome', intent, { outcome: { result, ...tally.summary() } }));
    } finally {
      underWay -= 1;
      if (underWay === 0) {
        settled?.resolve();
        settled = undefined;
      }
    }
  };

  return {
    denied: (intent, why, repeated) =>
      sink.write(
        entryOf(time(), randomUUID(), 'denied', intent, {
          denied: why,
          count: repeated?.count,
          since: repeated && new Date(repeated.since).toISOString(),
        }),
      ),
    begin: async (intent) => {
      const id = randomUUID();
      const { digests = [] } = intent;
      const [first, ...more] = slicesOf(digests, MAX_DIGESTS);
      await sink.write(entryOf(time(), id, 'intent', intent, { digests: first }));
      // A line at a time: what waits to be written is bounded for all callers together.
      for (const [n, slice] of more.entries())
        await sink.write(entryOf(time(), id, 'digests', intent, { digests: slice, part: n + 2 }));
      underWay += 1;
      const tally = new Tally();
      let ended: Promise<void> | undefined;
      return {
        done: (key, payloads = 1) => tally.done(key, payloads),
        refused: (code, of) => tally.refused(code, of?.key),
        end: (result) => (ended ??= outcome(intent, id, result, tally)),
      };
    },
    settled: async () => {
      if (underWay === 0) return;
      settled ??= Promise.withResolvers<void>();
      await settled.promise;
    },
  };
}

/** Made once a millisecond, in which there may be dozens of lines. */
function timestamps(now: () => number): () => string {
  let made = Number.NaN;
  let text = '';
  return () => {
    const current = now();
    if (current !== made) [made, text] = [current, new Date(current).toISOString()];
    return text;
  };
}

/** Characters of anything that comes from a token, a path or a body: nobody can make a line long. */
const MAX_TEXT = 1_000;

/** What isn't known is left out of the line as `JSON.stringify` does it: entries of one shape are made sooner. */
function entryOf(
  time: string,
  id: string,
  event: AuditEntry['event'],
  { operation, caller, peer, namespace, requestNamespace, workflowId, runId, justification, refs }: Intent,
  { outcome, denied, count, since, digests, part }: Partial<AuditEntry> = {},
): AuditEntry {
  return {
    time,
    id,
    event,
    outcome,
    denied,
    count,
    since,
    operation,
    who: { name: cut(caller.name), issuer: cut(caller.issuer), subject: cut(caller.subject) },
    from: cut(peer),
    namespace: cut(namespace),
    requestNamespace: cut(requestNamespace),
    workflowId: cut(workflowId),
    runId: cut(runId),
    justification: cut(justification),
    refs: refs?.slice(0, MAX_REFS),
    digests,
    part,
  };
}

/** Digests that one line holds; more have further lines. */
const MAX_DIGESTS = 200;

function slicesOf<T>(all: readonly T[], size: number): T[][] {
  const slices: T[][] = [];
  for (let from = 0; from < all.length; from += size) slices.push(all.slice(from, from + size));
  return slices;
}

/** The intent without what its line would leave out, for keeping it in memory. */
export const shortened = ({
  operation,
  caller,
  peer,
  namespace,
  requestNamespace,
  workflowId,
  runId,
}: Intent): Intent => ({
  operation,
  caller: {
    name: cut(caller.name),
    ...(caller.issuer !== undefined && { issuer: cut(caller.issuer) }),
    ...(caller.subject !== undefined && { subject: cut(caller.subject) }),
  },
  peer: cut(peer),
  namespace: cut(namespace),
  ...(requestNamespace !== undefined && { requestNamespace: cut(requestNamespace) }),
  ...(workflowId !== undefined && { workflowId: cut(workflowId) }),
  ...(runId !== undefined && { runId: cut(runId) }),
});

function cut<T extends string | undefined>(text: T): T;
function cut(text: string | undefined): string | undefined {
  return text !== undefined && text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
