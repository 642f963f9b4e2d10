import type { NamespaceKeys, ReasonCode, ReasonCounts } from '@temporal-kms/codec-api';
import type { Observer } from '@temporal-kms/kms-codec';
import { LRUCache } from 'lru-cache';
import type { Audit, AuditRecord, Intent } from '../audit/audit.ts';
import { count } from '../reason-counts.ts';
import { NamespaceUse } from './namespace-use.ts';

type KmsCalls = NamespaceKeys['outcomes']['kmsCalls'];

/** Counts what keys are used for, by namespace, from the process's start on. */
export interface KeyUseWatch {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly observer: Observer;
  /** The same audit, whose operations are counted as well: whatever opens or seals for a caller tells it. */
  watched(audit: Audit): Audit;
  of(namespace: string): NamespaceUse;
  /** What Cloud KMS was asked under these keys. */
  calls(keys: readonly string[]): KmsCalls;
}

const MAX_NAMESPACES = 1_024;
const MAX_KEYS = 4_096;

export function watchKeyUse(now: () => number = Date.now): KeyUseWatch {
  const namespaces = new LRUCache<string, NamespaceUse>({
    max: MAX_NAMESPACES,
    memoMethod: () => new NamespaceUse(),
  });
  const of = (namespace: string): NamespaceUse => namespaces.memo(namespace);
  const calls = new LRUCache<string, { total: number; failed: ReasonCounts }>({
    max: MAX_KEYS,
    memoMethod: () => ({ total: 0, failed: {} }),
  });

  return {
    since: now(),
    of,
    observer: {
      notEncrypted: ({ namespace }) => of(namespace).notEncrypted(),
      dataKeyLookup: ({ namespace, outcome }) => of(namespace).dataKey(outcome),
      kmsCall: ({ operation, key, code }) => {
        // What this server asks to describe keys says nothing about payloads.
        if (operation === 'describe') return;
        const asked = calls.memo(key);
        asked.total += 1;
        if (code !== undefined) count(asked.failed, code);
      },
    },
    watched: (audit) => ({
      ...audit,
      begin: (intent) => {
        const { namespace } = intent;
        const begun = audit.begin(intent);
        if (namespace === undefined) return begun;
        return begun.then((record) => counted(record, of(namespace), intent, now));
      },
    }),
    calls: (keys) => {
      const sum: { total: number; failed: ReasonCounts } = { total: 0, failed: {} };
      for (const key of keys) {
        const { total, failed } = calls.get(key) ?? { total: 0, failed: {} };
        sum.total += total;
        for (const [code, times] of entries(failed)) count(sum.failed, code, times);
      }
      return sum;
    },
  };
}

const entries = (counts: ReasonCounts): [ReasonCode, number][] =>
  Object.entries(counts).filter((entry): entry is [ReasonCode, number] => entry[1] !== undefined);

function counted(record: AuditRecord, use: NamespaceUse, intent: Intent, now: () => number): AuditRecord {
  return {
    done: (key, payloads = 1) => {
      record.done(key, payloads);
      use.done(key, payloads, now());
    },
    refused: (code, of = {}) => {
      record.refused(code, of);
      use.refused(code, { ...runOf(intent), ...of }, now());
    },
    end: (result) => record.end(result),
  };
}

/** The run, where it is of the record's namespace: readers of one namespace don't learn the ids of another. */
function runOf({ requestNamespace, workflowId, runId }: Intent): { workflowId?: string; runId?: string } {
  if (requestNamespace !== undefined) return {};
  return {
    ...(workflowId === undefined ? {} : { workflowId }),
    ...(runId === undefined ? {} : { runId }),
  };
}
