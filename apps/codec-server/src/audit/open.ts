import type { Logger } from 'pino';
import { type Audit, createAudit } from './audit.ts';
import { openAuditFile } from './audit-file.ts';
import { countDenials } from './denials.ts';
import type { Append } from './line-queue.ts';
import { auditSink } from './sink.ts';

export interface OpenAudit {
  readonly audit: Audit;
  /** The file was rotated. */
  reopen(): void;
  close(): Promise<void>;
}

export interface OpenAuditOptions {
  /** Absent: `output`. */
  readonly file: string | undefined;
  readonly output: Append;
  readonly log: Logger;
  readonly failed: () => void;
}

/** @throws Node's error, with its `code`, when the file can't be opened for appending */
export async function openAudit({ file, output, log, failed }: OpenAuditOptions): Promise<OpenAudit> {
  const opened = file === undefined ? undefined : await openAuditFile(file);
  const append = opened?.append ?? output;
  const audit = countDenials(createAudit(auditSink(append, { log, failed })));
  return {
    audit,
    reopen: () => opened?.reopen(),
    close: async () => {
      await audit.flush();
      await opened?.close();
    },
  };
}
