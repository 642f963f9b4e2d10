import type { Audit, Intent } from '@temporal-kms/audit';
import type { KeyUsage } from '../observability/key-usage.ts';

/** Returns an audit that also counts each operation as a use of its keys. */
export function withUsageCounting(audit: Audit, usage: KeyUsage): Audit {
  return {
    ...audit,
    begin: (intent) => {
      const { namespace } = intent;
      const begun = audit.begin(intent);
      if (namespace === undefined) return begun;
      const counts = usage.of(namespace);
      return begun.then((record) => ({
        done: (key, payloads = 1) => {
          record.done(key, payloads);
          counts.done(key, payloads, Date.now());
        },
        refused: (code, of = {}) => {
          record.refused(code, of);
          counts.refused(code, { ...runOf(intent), ...of }, Date.now());
        },
        object: (object) => record.object(object),
        end: (result) => record.end(result),
      }));
    },
  };
}

/**
 * Returns the run only if it is in the entry's namespace, so that people who may read only one namespace do
 * not learn ids from another namespace. Returns no run for a history file, because the file's run may not
 * exist.
 */
function runOf({ requestNamespace, workflowId, runId, source }: Intent): {
  workflowId?: string;
  runId?: string;
} {
  if (requestNamespace !== undefined || source !== undefined) return {};
  return { ...(workflowId === undefined ? {} : { workflowId }), ...(runId === undefined ? {} : { runId }) };
}
