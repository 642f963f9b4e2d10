import { type AuditFile, type AuditFileOptions, openAuditFile } from '../../src/audit/audit-file.ts';
import { newInstance } from '../../src/audit/chain.ts';
import { keptLog } from './stack.ts';

/** An audit file as a process of its own would open it. */
export const auditFileAt = (path: string, options: Partial<AuditFileOptions> = {}): Promise<AuditFile> =>
  openAuditFile(path, { instance: newInstance(), log: keptLog().log, ...options });
