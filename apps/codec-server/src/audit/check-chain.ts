import { stat } from 'node:fs/promises';
import { type ChainHead, formatHead, verifyFile } from '@temporal-kms/audit';
import type { AuditVerification } from '@temporal-kms/codec-api';

export interface ChainCheckOptions {
  readonly file: string;
  /** Returns the last line that this process wrote. */
  readonly head: () => ChainHead;
  /** Bytes of the largest file that is checked. Default 256 MiB: hashing them takes about a second of CPU time. */
  readonly maxBytes?: number;
}

const MAX_BYTES = 256 * 1024 * 1024;
/** Problems in an answer; `verify-audit` lists more. */
const MAX_PROBLEMS = 10;

/**
 * Returns a function that checks the hash chain of the file that this process writes to. Requests at the same time
 * share one check.
 * @returns rejects with Node's error when the file cannot be read
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
  // Before the file is read, which then must contain it.
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
