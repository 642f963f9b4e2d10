import { hash } from 'node:crypto';
import type { LogMethods } from '@temporal-kms/node-utils/log-entry';
import { MinuteAggregator } from '@temporal-kms/node-utils/minute-aggregator';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { type AuditFile, type AuditFileOptions, openAuditFile } from './audit-file.ts';
import { type Audit, createAudit, type Denied, type Intent, shortened } from './audit.ts';
import {
  chain,
  type ChainHead,
  type Digests,
  formatHead,
  newInstance,
  NOTHING,
  readDigestKey,
} from './chain.ts';
import { type Append, auditSink, type AuditSinkOptions } from './line-queue.ts';
import { closedLine, openedLine } from './lines.ts';

export interface OpenAudit {
  readonly audit: Audit;
  /** Computes the digests of ciphertexts; `undefined` if no digest key is configured. */
  readonly digests: Digests | undefined;
  /**
   * Returns the last line that was written. With this line, a verifier can detect that the file was
   * truncated.
   */
  readonly head: () => ChainHead;
  /** Makes the next write check whether the path names another file. Call this function after a rotation. */
  reopen(): void;
  /** Writes the counted denials and the closing line, and closes the file. */
  close(): Promise<void>;
}

export interface OpenAuditOptions {
  /** Path of the audit file. If this path is absent, the audit goes to `output`. */
  readonly file: string | undefined;
  /** Writes text to standard output. */
  readonly output: Append;
  readonly fsync: boolean;
  /** Path of the file with the digest key. If this path is absent, the audit contains no digests. */
  readonly digestKeyFile: string | undefined;
  readonly log: LogMethods;
  /** Called for each line that could not be written. */
  readonly failed: () => void;
  /** Returns the error to throw for an operation whose line could not be written. */
  readonly unavailable: AuditSinkOptions['unavailable'];
  /** The program's name in Cloud Logging. The default is the name of the codec server. */
  readonly producer?: string;
}

/** Interval at which the last audit line is recorded in the log, if there are new audit lines. */
const LOG_HEAD_MS = 10 * 60_000;

/**
 * Opens the audit in a file or on standard output, and writes this process's first line.
 * @throws UntrustedFileError, Error or Node's error if the file cannot be written or the digest key cannot be
 *   read
 */
export async function openAudit(options: OpenAuditOptions): Promise<OpenAudit> {
  const { file, output, fsync, digestKeyFile, log, failed, unavailable, producer } = options;
  const instance = newInstance();
  const digests = digestKeyFile === undefined ? undefined : readDigestKey(digestKeyFile);
  const digestKey = digests?.keyId;
  const opened: Pick<AuditFile, 'append' | 'head'> & Partial<AuditFile> =
    file === undefined
      ? await chainedOutput(output, { instance, digestKey })
      : await openAuditFile(file, { instance, log, fsync, digestKey });
  const sink = auditSink(opened.append, { log, failed, unavailable, producer });
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
      // The sink has already logged the cause.
      await sink.writeLine(closedLine(instance)).catch((error: unknown) => {
        log.warn({ reason: messageOf(error) }, 'audit closed without a closing line');
      });
      logHead();
      await opened.close?.();
    },
  };
}

/**
 * Chains audit lines on standard output, where other lines may be between them. Each process begins a new
 * chain.
 */
export async function chainedOutput(
  output: Append,
  { instance, digestKey }: Pick<AuditFileOptions, 'instance' | 'digestKey'>,
): Promise<Pick<AuditFile, 'append' | 'head'>> {
  let head = NOTHING;
  const append: AuditFile['append'] = async (lines) => {
    const chained = chain(instance, head, lines);
    // The head is updated before the write, because a failed write may have written some of the lines.
    head = chained.head;
    await output(chained.bytes.toString('utf8'));
  };
  await append([openedLine(instance, { digestKey })]);
  return { append, head: () => head };
}

/** How many kinds of denials are counted separately per minute, at most: for one caller, and in total. */
const MAX_OF_CALLER = 16;
const MAX_KINDS = 1_024;

/** The caller name in the entry that counts the denials of all callers beyond the limit. */
const OTHERS: Intent['caller'] = { name: 'others' };

interface Denial {
  readonly intent: Intent;
  readonly why: Denied;
}

/**
 * A denial, the kind that it is counted as, and how many denials of this kind get a separate entry per
 * minute.
 */
interface ClassifiedDenial extends Denial {
  readonly kind: string;
  readonly limit: 0 | 1;
}

interface CountedAudit extends Audit {
  /** Writes the counts so far. */
  flush(): Promise<void>;
}

/**
 * Returns an audit that a caller without permissions cannot flood. Immediately writes the first denial for
 * each combination of caller, operation, namespace and cause. Counts further denials of the same kind, and
 * writes their number at the end of the minute. If a caller tries many namespaces, one entry per operation
 * and cause counts the denials for the namespaces beyond the limit. Another entry per operation and cause
 * counts the denials of all callers beyond the limit. If a count could not be written, it is added to the
 * next minute's count.
 */
export function countDenials(audit: Audit): CountedAudit {
  const kindsOf = new Map<string, number>();
  let writing = Promise.resolve();
  const counts = new MinuteAggregator<Denial>({
    kinds: MAX_KINDS,
    flushed: (suppressed) => {
      kindsOf.clear();
      for (const { first, since, count } of suppressed) {
        // Write one line at a time, because the line queue is bounded.
        writing = writing.then(() =>
          audit
            .denied(first.intent, first.why, { since, count })
            .catch(() => counts.count(classify(first).kind, first, count)),
        );
      }
    },
  });

  const classify = ({ intent, why }: Denial): ClassifiedDenial => {
    const { caller, operation, namespace } = intent;
    const who = digest(caller.issuer, caller.subject, caller.name);
    const own = digest(who, operation, why, namespace);
    if (counts.has(own)) return { intent, why, kind: own, limit: 1 };
    if (!counts.hasRoom) {
      const ofOthers = { operation, caller: OTHERS, peer: undefined, namespace: undefined };
      return { intent: ofOthers, why, kind: `others ${operation} ${why}`, limit: 0 };
    }
    const kinds = kindsOf.get(who) ?? 0;
    if (kinds >= MAX_OF_CALLER) {
      const anywhere = { ...intent, namespace: undefined };
      return { intent: anywhere, why, kind: `any ${who} ${operation} ${why}`, limit: 0 };
    }
    kindsOf.set(who, kinds + 1);
    return { intent, why, kind: own, limit: 1 };
  };

  return {
    ...audit,
    flush: () => {
      counts.flush();
      return writing;
    },
    denied: async (intent, why) => {
      const { kind, limit, ...counted } = classify({ intent, why });
      const denial = { why, intent: shortened(counted.intent) };
      if (!counts.pass(kind, denial, limit)) return;
      try {
        await audit.denied(intent, why);
      } catch (error) {
        counts.count(kind, denial, 1);
        throw error;
      }
    },
  };
}

const digest = (...parts: readonly (string | undefined)[]): string =>
  hash('sha256', JSON.stringify(parts), 'base64');
