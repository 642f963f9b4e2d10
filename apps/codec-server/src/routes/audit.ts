import { stat } from 'node:fs/promises';
import { auditPage, auditQuery } from '@temporal-kms/codec-api';
import type { ChainHead } from '../audit/chain.ts';
import { cloudLoggingQuery } from '../audit/lines.ts';
import { readAudit } from '../audit/read-audit.ts';
import { HttpError } from '../errors.ts';
import type { Authority } from '../http/authorise.ts';
import { clientAddress } from '../http/context.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import { replyJson } from '../http/responses.ts';

export interface AuditRouteOptions {
  readonly authority: Pick<Authority, 'audit'>;
  /** Absent: the audit goes to standard output, and the log collector stores it. */
  readonly auditFile: string | undefined;
  /** Returns the last line that this process wrote. */
  readonly head: (() => ChainHead) | undefined;
}

/** Reading the audit is recorded in the audit. */
export const auditRoute = ({ authority, auditFile, head }: AuditRouteOptions): Route =>
  defineRoute({
    method: 'get',
    path: '/api/namespaces/{namespace}/audit',
    operationId: 'readAudit',
    summary: "Returns a page of a namespace's audit entries, the newest first",
    description:
      'Reads the file of the replica that answers. Without a file the response is 501, and its message contains the query ' +
      'for Cloud Logging.',
    requires: 'audit',
    query: auditQuery,
    response: { description: 'A page', type: 'application/json', schema: auditPage },
    handler: async (c, { query: { after, limit, workflowId } }) => {
      const namespace = c.get('namespace');
      const notReadable = (): HttpError =>
        new HttpError(
          501,
          'not_implemented',
          'This server has no audit file that it can read (AUDIT_FILE). Query Cloud Logging instead: ' +
            cloudLoggingQuery(namespace, workflowId),
        );
      if (auditFile === undefined) throw notReadable();
      const record = await authority.audit.begin({
        operation: 'audit',
        caller: c.get('caller'),
        peer: clientAddress(c),
        namespace,
        ...(workflowId === undefined ? {} : { workflowId }),
      });
      try {
        // After the intent is written: that creates the file again where it was rotated away.
        if (!(await isFile(auditFile))) throw notReadable();
        const page = await readAudit(auditFile, { namespace, workflowId, after, limit });
        await record.end('complete');
        return replyJson(c, head === undefined ? page : { ...page, head: head() });
      } catch (error) {
        await record.end('failed');
        throw error;
      }
    },
  });

/** False for a pipe or a device: they cannot be read back. */
async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (info) => info.isFile(),
    () => false,
  );
}
