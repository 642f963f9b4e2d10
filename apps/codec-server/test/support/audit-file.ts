import { type AuditFile, type AuditFileOptions, newInstance, openAuditFile } from '@temporal-kms/audit';
import { keptLog } from './stack.ts';

/** Opens an audit file as a separate process would. */
export const auditFileAt = (path: string, options: Partial<AuditFileOptions> = {}): Promise<AuditFile> =>
  openAuditFile(path, { instance: newInstance(), log: keptLog().log, ...options });
