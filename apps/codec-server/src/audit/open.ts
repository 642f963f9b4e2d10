import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import { type Audit, createAudit } from './audit.ts';
import { type AuditFile, openAuditFile } from './audit-file.ts';
import { type ChainHead, formatHead, newInstance } from './chain.ts';
import { chainedOutput } from './chained-output.ts';
import { countDenials } from './denials.ts';
import { type Digests, readDigestKey } from './digests.ts';
import { closedLine } from './file-marks.ts';
import type { Append } from './line-queue.ts';
import { auditSink } from './sink.ts';

export interface OpenAudit {
  readonly audit: Audit;
  /** Absent without a key. */
  readonly digests: Digests | undefined;
  /** The last line that was written: what a verifier must find, should the end be cut off. */
  readonly head: () => ChainHead;
  /** The file was rotated. */
  reopen(): void;
  /** Writes what was counted, and the closing line. */
  close(): Promise<void>;
}

export interface OpenAuditOptions {
  /** Absent: `output`. */
  readonly file: string | undefined;
  readonly output: Append;
  readonly fsync: boolean;
  /** Absent: no digests. */
  readonly digestKeyFile: string | undefined;
  readonly log: Logger;
  readonly failed: () => void;
}

/** How often the log says which line is the last, while there are new ones. */
const HEAD_MS = 10 * 60_000;

/** @throws Error, UntrustedPathError or Node's error, when the file can't be written to or the key can't be read */
export async function openAudit(options: OpenAuditOptions): Promise<OpenAudit> {
  const { file, output, fsync, digestKeyFile, log, failed } = options;
  const instance = newInstance();
  const digests = digestKeyFile === undefined ? undefined : readDigestKey(digestKeyFile);
  const digestKey = digests?.keyId;
  const opened: Pick<AuditFile, 'append' | 'head'> & Partial<AuditFile> =
    file === undefined
      ? await chainedOutput(output, { instance, digestKey })
      : await openAuditFile(file, { instance, log, fsync, digestKey });
  const sink = auditSink(opened.append, { log, failed });
  const audit = countDenials(createAudit(sink));

  let told = 0;
  const tellHead = (): void => {
    const head = opened.head();
    if (head.seq === told) return;
    told = head.seq;
    log.info({ instance, head: formatHead(head) }, 'last line of the audit');
  };
  tellHead();
  const timer = setInterval(tellHead, HEAD_MS).unref();

  return {
    audit,
    digests,
    head: () => opened.head(),
    reopen: () => opened.reopen?.(),
    close: async () => {
      clearInterval(timer);
      await audit.flush();
      // Why it could not be written is in the log already.
      await sink.writeLine(closedLine(instance)).catch((error: unknown) => {
        log.warn({ reason: messageOf(error) }, 'the audit has no closing line');
      });
      tellHead();
      await opened.close?.();
    },
  };
}
