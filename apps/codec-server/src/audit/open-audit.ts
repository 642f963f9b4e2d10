import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import { type Audit, createAudit } from './audit.ts';
import { type AuditFile, type AuditFileOptions, openAuditFile } from './audit-file.ts';
import {
  chain,
  type ChainHead,
  type Digests,
  formatHead,
  newInstance,
  NOTHING,
  readDigestKey,
} from './chain.ts';
import { countDenials } from './denials.ts';
import { type Append, auditSink } from './line-queue.ts';
import { closedLine, openedLine } from './lines.ts';

export interface OpenAudit {
  readonly audit: Audit;
  /** Absent without a key. */
  readonly digests: Digests | undefined;
  /** Returns the last line that was written: a verifier that expects it detects a truncated end. */
  readonly head: () => ChainHead;
  /** Call it after the file was rotated. */
  reopen(): void;
  /** Writes the counted denials and the closing line. */
  close(): Promise<void>;
}

export interface OpenAuditOptions {
  /** Absent: `output`. */
  readonly file: string | undefined;
  /** Writes to standard output. */
  readonly output: Append;
  readonly fsync: boolean;
  /** Absent: no digests. */
  readonly digestKeyFile: string | undefined;
  readonly log: Logger;
  /** Called for each line that could not be written. */
  readonly failed: () => void;
}

/** How often the log names the last line while new lines are written. */
const LOG_HEAD_MS = 10 * 60_000;

/**
 * Opens the audit in a file or on standard output and writes its first line.
 * @throws UntrustedPathError, Error or Node's error when the file cannot be written or the key cannot be read
 */
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

  let logged = 0;
  const logHead = (): void => {
    const head = opened.head();
    if (head.seq === logged) return;
    logged = head.seq;
    log.info({ instance, head: formatHead(head) }, 'last line of the audit');
  };
  logHead();
  const timer = setInterval(logHead, LOG_HEAD_MS).unref();

  return {
    audit,
    digests,
    head: () => opened.head(),
    reopen: () => opened.reopen?.(),
    close: async () => {
      clearInterval(timer);
      await audit.flush();
      // The sink has logged the cause already.
      await sink.writeLine(closedLine(instance)).catch((error: unknown) => {
        log.warn({ reason: messageOf(error) }, 'audit closed without a closing line');
      });
      logHead();
      await opened.close?.();
    },
  };
}

/** Chains lines on standard output, where other lines may stand between them. Each process begins a new chain. */
export async function chainedOutput(
  output: Append,
  { instance, digestKey }: Pick<AuditFileOptions, 'instance' | 'digestKey'>,
): Promise<Pick<AuditFile, 'append' | 'head'>> {
  let head = NOTHING;
  const append: AuditFile['append'] = async (lines) => {
    const chained = chain(instance, head, lines);
    // Set before the write, because a write that fails may have written some of the lines.
    head = chained.head;
    await output(chained.bytes.toString('utf8'));
  };
  await append([openedLine(instance, { digestKey })]);
  return { append, head: () => head };
}
