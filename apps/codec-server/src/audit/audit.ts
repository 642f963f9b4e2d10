import { randomUUID } from 'node:crypto';
import {
  type AuditEntry,
  type KeyUse,
  MAX_REFS,
  type PayloadRef,
  type ReasonCode,
} from '@temporal-kms/codec-api';
import type { Caller, Permission } from '../access/access.ts';
import type { AuditSink } from './sink.ts';
import { Tally } from './tally.ts';

/** What is about to be done, and for whom. No content, and no token. */
export interface Intent {
  readonly operation: Permission;
  readonly caller: Caller;
  /** Address of the connection's other end. */
  readonly peer: string | undefined;
  readonly namespace: string | undefined;
  readonly workflowId?: string;
  readonly runId?: string;
  /** Which payloads, where the caller named them. */
  readonly refs?: readonly string[];
  /** Why, in the caller's words, where the namespace asks for it. */
  readonly reason?: string;
}

export type Outcome = NonNullable<AuditEntry['outcome']>['result'];

/** One operation under way: told what became of each payload, and at the end how it ended. */
export interface AuditRecord {
  /** Payloads were opened or sealed under one key, one unless told. */
  done(key?: KeyUse, payloads?: number): void;
  /** @param of which payload, for whoever counts; the audit's own line has the codes alone */
  refused(code: ReasonCode, of?: { readonly ref?: PayloadRef; readonly key?: KeyUse }): void;
  /**
   * Writes the `outcome` line, once; what comes after the first is ignored.
   * @throws Refusal `audit_unavailable`: give no plaintext out
   */
  end(result: Outcome): Promise<void>;
}

export interface Audit {
  /**
   * Writes the `intent` line. Nothing may be decrypted before it has resolved.
   * @throws Refusal `audit_unavailable`
   */
  begin(intent: Intent): Promise<AuditRecord>;
  /** @throws Refusal `audit_unavailable` */
  denied(intent: Intent): Promise<void>;
  /** Resolves once every operation that has begun has its outcome line, or failed to get one. */
  settled(): Promise<void>;
}

export function createAudit(sink: AuditSink, now: () => Date = () => new Date()): Audit {
  let underWay = 0;
  let settled: PromiseWithResolvers<void> | undefined;
  const line = (who: Who, id: string, rest: Pick<AuditEntry, 'event' | 'outcome'>): Promise<void> =>
    sink.write({ time: now().toISOString(), id, ...rest, ...who });

  const outcome = async (who: Who, id: string, result: Outcome, tally: Tally): Promise<void> => {
    try {
      await line(who, id, { event: 'outcome', outcome: { result, ...tally.summary() } });
    } finally {
      underWay -= 1;
      if (underWay === 0) {
        settled?.resolve();
        settled = undefined;
      }
    }
  };

  return {
    denied: (intent) => line(whoAndWhat(intent), randomUUID(), { event: 'denied' }),
    begin: async (intent) => {
      const id = randomUUID();
      const who = whoAndWhat(intent);
      await line(who, id, { event: 'intent' });
      underWay += 1;
      const tally = new Tally();
      let ended: Promise<void> | undefined;
      return {
        done: (key, payloads = 1) => tally.done(key, payloads),
        refused: (code) => tally.refused(code),
        end: (result) => (ended ??= outcome(who, id, result, tally)),
      };
    },
    settled: async () => {
      if (underWay === 0) return;
      settled ??= Promise.withResolvers<void>();
      await settled.promise;
    },
  };
}

type Who = Omit<AuditEntry, 'time' | 'id' | 'event' | 'outcome'>;

/** Characters of anything that comes from a token, a path or a body: nobody can make a line long. */
const MAX_TEXT = 1_000;

function whoAndWhat({ operation, caller, peer, refs, ...rest }: Intent): Who {
  const { namespace, workflowId, runId, reason } = rest;
  return {
    operation,
    who: { name: cut(caller.name), ...given({ issuer: caller.issuer, subject: caller.subject }) },
    ...given({ from: peer, namespace, workflowId, runId, reason }),
    ...(refs === undefined ? {} : { refs: refs.slice(0, MAX_REFS) }),
  };
}

/** Those that have a value, cut. */
function given<T extends string>(
  values: Readonly<Record<T, string | undefined>>,
): Partial<Record<T, string>> {
  const result: Partial<Record<T, string>> = {};
  for (const name in values) {
    const text = values[name];
    if (text !== undefined) result[name] = cut(text);
  }
  return result;
}

const cut = (text: string): string => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text);
