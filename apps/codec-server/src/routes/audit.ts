import { stat } from 'node:fs/promises';
import { auditQuery } from '@temporal-kms/codec-api';
import type { ChainHead } from '../audit/chain.ts';
import { cloudLoggingQuery } from '../audit/log-line.ts';
import { readAudit } from '../audit/read-audit.ts';
import type { Authority } from '../http/authorise.ts';
import { clientAddress } from '../http/client-address.ts';
import { replyJson } from '../http/reply.ts';
import { validate } from '../http/input.ts';
import { HttpError } from '../errors.ts';
import type { Routes } from '../http/routes.ts';

export interface AuditRoutesOptions {
  readonly authority: Pick<Authority, 'audit'>;
  /** Absent: the audit goes to standard output, and whoever collects that has it. */
  readonly auditFile: string | undefined;
  /** The last line that this process has written. */
  readonly head: (() => ChainHead) | undefined;
}

/** Reading the audit stands in the audit. */
export function auditRoutes(routes: Routes, { authority, auditFile, head }: AuditRoutesOptions): void {
  routes.get('/namespaces/:namespace/audit', 'audit', async (c) => {
    const namespace = c.get('namespace');
    const { after, limit, workflowId } = validate(auditQuery, c.req.query());
    const elsewhere = (): HttpError =>
      new HttpError(
        501,
        'not_implemented',
        'This server keeps no audit file that it could read (AUDIT_FILE). In Cloud Logging ask: ' +
          cloudLoggingQuery(namespace, workflowId),
      );
    if (auditFile === undefined) throw elsewhere();
    const record = await authority.audit.begin({
      operation: 'audit',
      caller: c.get('caller'),
      peer: clientAddress(c),
      namespace,
      ...(workflowId === undefined ? {} : { workflowId }),
    });
    try {
      // Not before its own intent is written: a file that was rotated away is made anew by that.
      if (!(await isReadable(auditFile))) throw elsewhere();
      const page = await readAudit(auditFile, { namespace, workflowId, after, limit });
      await record.end('complete');
      return replyJson(c, head === undefined ? page : { ...page, head: head() });
    } catch (error) {
      await record.end('failed');
      throw error;
    }
  });
}

/** A pipe or a device can't be read back. */
async function isReadable(path: string): Promise<boolean> {
  return await stat(path).then(
    (info) => info.isFile(),
    () => false,
  );
}
