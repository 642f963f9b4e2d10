export { type AuditFile, type AuditFileOptions, openAuditFile } from './audit-file.ts';
export {
  type Audit,
  type AuditedCaller,
  type AuditedObject,
  type AuditRecord,
  createAudit,
  type Denied,
  type EntrySink,
  type Intent,
  type Outcome,
} from './audit.ts';
export {
  type ChainHead,
  type Digests,
  digestsWith,
  formatHead,
  linkOf,
  newInstance,
  NOTHING,
  parseHead,
  readDigestKey,
} from './chain.ts';
export { type Append, type AuditSinkOptions, auditSink, LineQueue } from './line-queue.ts';
export { closedLine, cloudLoggingQuery, entryLine, parseEntryLine, visibleJson } from './lines.ts';
export {
  chainedOutput,
  countDenials,
  type OpenAudit,
  openAudit,
  type OpenAuditOptions,
} from './open-audit.ts';
export { type Verified, type VerifiedFile, verifyAudit, verifyFile } from './verify.ts';
