import { randomUUID } from 'node:crypto';
import type { AuditEntry, KeyUse, ReasonCode } from '@temporal-kms/codec-api';
import type { Caller, Permission } from '../access/access.ts';
import type { AuditSink } from './sink.ts';

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
  /** A payload was opened or sealed. */
  done(key?: KeyUse): void;
  refused(code: ReasonCode): void;
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
}

export function createAudit(sink: AuditSink, now: () => Date = () => new Date()): Audit {
  const entry = (intent: Intent, id: string, event: AuditEntry['event']): AuditEntry => ({
    time: now().toISOString(),
    id,
    event,
    operation: intent.operation,
    who: {
      name: intent.caller.name,
      ...(intent.caller.issuer === undefined ? {} : { issuer: intent.caller.issuer }),
      ...(intent.caller.subject === undefined ? {} : { subject: intent.caller.subject }),
    },
    ...(intent.peer === undefined ? {} : { from: intent.peer }),
    ...(intent.namespace === undefined ? {} : { namespace: intent.namespace }),
    ...(intent.workflowId === undefined ? {} : { workflowId: intent.workflowId }),
    ...(intent.runId === undefined ? {} : { runId: intent.runId }),
    ...(intent.refs === undefined ? {} : { refs: [...intent.refs] }),
    ...(intent.reason === undefined ? {} : { reason: intent.reason }),
  });

  return {
    denied: (intent) => sink.write(entry(intent, randomUUID(), 'denied')),
    begin: async (intent) => {
      const id = randomUUID();
      await sink.write(entry(intent, id, 'intent'));
      const tally = new Tally();
      let ended: Promise<void> | undefined;
      return {
        done: (key) => tally.done(key),
        refused: (code) => tally.refused(code),
        end: (result) => {
          ended ??= sink.write({
            ...entry(intent, id, 'outcome'),
            outcome: { result, ...tally.summary() },
          });
          return ended;
        },
      };
    },
  };
}

/** Counts by key and by code, so that a line's length depends on how many keys there are, not on how many payloads. */
class Tally {
  #payloads = 0;
  readonly #keys = new Map<string, { readonly key: KeyUse; payloads: number }>();
  readonly #codes: Partial<Record<ReasonCode, number>> = {};

  done(key: KeyUse | undefined): void {
    this.#payloads += 1;
    if (key === undefined) return;
    const name = `${key.name ?? ''} ${key.version ?? ''}`;
    const known = this.#keys.get(name) ?? { key, payloads: 0 };
    known.payloads += 1;
    this.#keys.set(name, known);
  }

  refused(code: ReasonCode): void {
    this.#codes[code] = (this.#codes[code] ?? 0) + 1;
  }

  summary(): Omit<NonNullable<AuditEntry['outcome']>, 'result'> {
    return {
      payloads: this.#payloads,
      keys: [...this.#keys.values()].map(({ key, payloads }) => ({ ...key, payloads })),
      refused: this.#codes,
    };
  }
}
