import { stat } from 'node:fs/promises';
import { type ChainHead, formatHead, verifyFile } from '@temporal-kms/audit';
import type { AuditVerification } from '@temporal-kms/codec-api';

export interface ChainCheckOptions {
  readonly file: string;
  /** Returns the last line that this process wrote. */
  readonly head: () => ChainHead;
  /**
   * Size of the largest file that is checked, in bytes. Default: 256 MiB, which takes about a second of CPU
   * time to hash.
   */
  readonly maxBytes?: number;
}

const MAX_BYTES = 256 * 1024 * 1024;
/** Maximum number of problems in a response; `verify-audit` lists more. */
const MAX_PROBLEMS = 10;

/**
 * Returns a function that checks the hash chain of the file that this process writes to. Concurrent requests
 * share one check.
 * @returns a function whose result rejects with Node's error if the file cannot be read
 */
export function chainCheck(options: ChainCheckOptions): () => Promise<AuditVerification> {
  let running: Promise<AuditVerification> | undefined;
  return () =>
    (running ??= check(options).finally(() => {
      running = undefined;
    }));
}

async function check({
  file,
  head: currentHead,
  maxBytes = MAX_BYTES,
}: ChainCheckOptions): Promise<AuditVerification> {
  // Reads the head before the file, so that the file must contain the head's line.
  const head = currentHead();
  const { size } = await stat(file);
  if (size > maxBytes) {
    return { ...now(), status: 'too_large', lines: 0, bytes: size, head, problems: [], problemCount: 0 };
  }
  const { lines, bytes, after, found, problems, problemCount } = await verifyFile(file, {
    mixed: false,
    expected: [head],
    live: true,
  });
  const own = formatHead(head);
  const missing =
    head.seq === 0 || found.has(own)
      ? []
      : [{ problem: `the file does not contain the last line that this process wrote, ${own}` }];
  const count = problemCount + missing.length;
  return {
    ...now(),
    status: count === 0 ? 'intact' : 'broken',
    lines,
    bytes,
    head,
    ...(after !== undefined && after.seq > 0 && { follows: after }),
    problems: [...missing, ...problems].slice(0, MAX_PROBLEMS),
    problemCount: count,
  };
}

const now = (): Pick<AuditVerification, 'time'> => ({ time: new Date().toISOString() });
