import { type AuditFile, type AuditFileOptions, openAuditFile } from '../../src/audit/audit-file.ts';
import { newInstance } from '../../src/audit/chain.ts';
import { keptLog } from './stack.ts';

/** Opens an audit file like a separate process. */
export const auditFileAt = (path: string, options: Partial<AuditFileOptions> = {}): Promise<AuditFile> =>
  openAuditFile(path, { instance: newInstance(), log: keptLog().log, ...options });
