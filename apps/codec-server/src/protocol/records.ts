import type { KeyUse } from '@temporal-kms/codec-api';
import type { Audit, AuditRecord, Intent } from '../audit/audit.ts';

/** One operation, on record in each namespace that its payloads name. */
export interface Records extends Pick<AuditRecord, 'refused' | 'end'> {
  /** @param namespace what the payloads name; absent: the one that was asked in */
  done(key: KeyUse | undefined, payloads: number, namespace?: string): void;
}

/**
 * Writes an `intent` for the namespace that was asked in and for each of the others: whoever reads the audit of one
 * must see what was decrypted of it, wherever that was asked for. Payloads count where they belong.
 * @throws Refusal `audit_unavailable`
 */
export function beginIn(
  audit: Audit,
  intent: InNamespace,
  others: ReadonlySet<string> = new Set(),
): Promise<Records> {
  return others.size === 0 ? audit.begin(intent) : beginInEach(audit, intent, others);
}

type InNamespace = Intent & { readonly namespace: string };

async function beginInEach(audit: Audit, intent: InNamespace, others: ReadonlySet<string>): Promise<Records> {
  const home = await audit.begin(intent);
  const records = new Map<string, AuditRecord>();
  const end: AuditRecord['end'] = async (result) => {
    const ended = await Promise.allSettled([home, ...records.values()].map((record) => record.end(result)));
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  };
  try {
    for (const namespace of others) records.set(namespace, await audit.begin({ ...intent, namespace }));
  } catch (error) {
    await end('failed').catch(() => undefined);
    throw error;
  }
  return {
    done: (key, payloads, namespace = intent.namespace) =>
      (records.get(namespace) ?? home).done(key, payloads),
    refused: (code) => home.refused(code),
    end,
  };
}
