import { stat } from 'node:fs/promises';
import { type ChainHead, cloudLoggingQuery } from '@temporal-kms/audit';
import {
  type AuditPage,
  auditPage,
  auditQuery,
  auditSearchRequest,
  type AuditVerification,
  auditVerification,
} from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import type { AuditFilter } from '../audit/audit-filter.ts';
import { chainCheck } from '../audit/check-chain.ts';
import { type AuditQuery, readAudit } from '../audit/read-audit.ts';
import { HttpError } from '../errors.ts';
import { type Authority, type ForGrant, forGrant, type Grant } from '../http/authorise.ts';
import { clientAddress, type Env } from '../http/context.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import { replyJson } from '../http/responses.ts';

export interface AuditRoutesOptions {
  readonly authority: Pick<Authority, 'audit'>;
  /**
   * Access to the audit file. Undefined if the server writes the audit to standard output, whose lines a log
   * collector stores.
   */
  readonly auditFile: ForGrant<'audit', AuditFile> | undefined;
  /** Returns the last line that this process has written. */
  readonly head: (() => ChainHead) | undefined;
}

/** The entries of one namespace in the audit file. */
interface AuditFile {
  exists(): Promise<boolean>;
  read(query: Omit<AuditQuery, 'namespace'>): Promise<AuditPage>;
  /**
   * Checks the hash chain of the whole file. Undefined if this process does not know the file's last
   * line.
   */
  readonly verify: (() => Promise<AuditVerification>) | undefined;
}

/** Returns access to the audit file for the audit routes. @param head as in `AuditRoutesOptions` */
export function auditFileFor(
  file: string,
  head: (() => ChainHead) | undefined,
): ForGrant<'audit', AuditFile> {
  const verify = head && chainCheck({ file, head });
  return forGrant(['audit'], (namespace) => ({
    exists: () => isFile(file),
    read: (query) => readAudit(file, { ...query, namespace }),
    verify,
  }));
}

const FILE =
  'Reads the audit file of the replica that responds. If there is no file, the response is 501 with a query for ' +
  'Cloud Logging in its message.';

/** Reading the audit is recorded in the audit. */
export function auditRoutes({ authority, auditFile, head }: AuditRoutesOptions): readonly Route[] {
  /**
   * Writes an audit intent, calls `read` with the audit file, and writes an outcome.
   * @throws HttpError 501 if there is no audit file
   */
  async function reading<T>(
    c: Context<Env>,
    grant: Grant<'audit'>,
    workflowId: string | undefined,
    read: (file: AuditFile) => Promise<T>,
  ): Promise<T> {
    const { namespace } = grant;
    const notReadable = (): HttpError =>
      new HttpError(
        501,
        'not_implemented',
        'This server cannot read an audit file (AUDIT_FILE). Query Cloud Logging instead: ' +
          cloudLoggingQuery(namespace, workflowId),
      );
    const file = auditFile?.(grant);
    if (file === undefined) throw notReadable();
    const record = await authority.audit.begin({
      operation: 'audit',
      caller: c.get('caller'),
      peer: clientAddress(c),
      namespace,
      ...(workflowId === undefined ? {} : { workflowId }),
    });
    try {
      // Checks for the file after the intent is written, because writing creates the file again if it was
      // rotated away.
      if (!(await file.exists())) throw notReadable();
      const result = await read(file);
      await record.end('complete');
      return result;
    } catch (error) {
      await record.end('failed');
      throw error;
    }
  }

  async function page(
    c: Context<Env>,
    grant: Grant<'audit'>,
    query: Omit<AuditFilter, 'namespace'> & { after?: string | undefined; limit: number },
  ): Promise<Response> {
    const { after, limit, ...filter } = query;
    const found = await reading(c, grant, filter.workflowId, (file) =>
      file.read({ ...filter, after, limit }),
    );
    return replyJson(c, head === undefined ? found : { ...found, head: head() });
  }

  return [
    defineRoute({
      method: 'get',
      path: '/api/namespaces/{namespace}/audit',
      operationId: 'readAudit',
      summary: "Returns a page of a namespace's audit entries, newest first",
      description: FILE,
      requires: 'audit',
      query: auditQuery,
      response: { description: 'A page', type: 'application/json', schema: auditPage },
      handler: (c, { grant, query }) => page(c, grant, query),
    }),
    defineRoute({
      method: 'post',
      path: '/api/namespaces/{namespace}/audit:search',
      operationId: 'searchAudit',
      summary: "Returns a page of a namespace's matching audit entries, newest first",
      description: `${FILE} A page searches at most 8 MiB of the file, so it may be empty even if more pages follow.`,
      requires: 'audit',
      body: auditSearchRequest,
      response: { description: 'A page', type: 'application/json', schema: auditPage },
      handler: (c, { grant, body }) => page(c, grant, body),
    }),
    defineRoute({
      method: 'get',
      path: '/api/namespaces/{namespace}/audit:verify',
      operationId: 'verifyAudit',
      summary: 'Checks the hash chain of the audit file',
      description: FILE,
      requires: 'audit',
      response: { description: 'The result', type: 'application/json', schema: auditVerification },
      handler: async (c, { grant }) =>
        replyJson(
          c,
          await reading(c, grant, undefined, ({ verify }) => {
            if (verify === undefined) throw new HttpError(501, 'not_implemented', NO_CHAIN);
            return verify();
          }),
        ),
    }),
  ];
}

const NO_CHAIN = "This server does not know its audit's last line, so it cannot verify the file.";

/** Whether a path is a regular file. Pipes and devices cannot be read back. */
async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (info) => info.isFile(),
    () => false,
  );
}
