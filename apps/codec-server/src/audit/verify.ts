import { type ChainHead, formatHead, NOTHING } from './chain.ts';
import { type VerifiedFile, verifyFile } from './verify-file.ts';

export interface VerifyOptions {
  readonly files: readonly string[];
  /** Lines without a link are skipped. */
  readonly mixed: boolean;
  /** Lines that must be among those of the files. */
  readonly expected: readonly ChainHead[];
  /** Last lines of files that are not given, verified before or removed on purpose. */
  readonly after: readonly ChainHead[];
  readonly progress?: (file: string, bytes: number) => void;
}

export interface Verified {
  readonly ok: boolean;
  readonly files: readonly VerifiedFile[];
  /** What the files show together. */
  readonly problems: readonly string[];
  /** What may be correct, and cannot be decided from the files. */
  readonly notes: readonly string[];
}

/**
 * Verifies the lines of files one by one, and then how the files follow one another, in whichever order they are given.
 * @throws Node's error where a file can't be read
 */
export async function verifyAudit({
  files,
  mixed,
  expected,
  after,
  progress,
}: VerifyOptions): Promise<Verified> {
  const verified: VerifiedFile[] = [];
  for (const file of files) {
    const told = progress && ((bytes: number) => progress(file, bytes));
    verified.push(await verifyFile(file, { mixed, expected, ...(told && { progress: told }) }));
  }
  const problems = [...linked(verified, after), ...missing(verified, expected)];
  const ok = problems.length === 0 && verified.every(({ problemCount }) => problemCount === 0);
  return { ok, files: verified, problems, notes: openEnds(verified) };
}

/** Each file begins a chain, or follows one other file's last line, and no two follow the same. */
function* linked(files: readonly VerifiedFile[], after: readonly ChainHead[]): Generator<string> {
  const known = new Set(after.map(formatHead));
  for (const { head } of files) if (head !== undefined) known.add(formatHead(head));
  const followers = new Map<string, string>();
  const firsts = new Map<string, string>();
  for (const { file, after: before, head, lost } of files) {
    if (before === undefined || head === undefined) {
      yield `${file} holds no line of a chain`;
      continue;
    }
    const link = formatHead(before);
    if (before.seq > 0 && !known.has(link)) {
      yield (
        `${file} follows ${link}, which no given file ends with: lines or a file are missing. ` +
        'Also give the file before it, or --after with that value if it was removed on purpose'
      );
    }
    const other = before.seq > 0 ? followers.get(link) : undefined;
    if (other === undefined) followers.set(link, file);
    else yield `${file} and ${other} both follow ${link}: one is a copy, or was put in`;
    const same = firsts.get(formatHead(head));
    if (same === undefined) firsts.set(formatHead(head), file);
    else if (other === undefined) yield `${file} and ${same} end with the same line: one is a copy`;
    for (const { line, head: own } of lost) {
      if (!known.has(formatHead(own)))
        yield `${file}:${line} says that a process had written ${formatHead(own)} elsewhere, which is not there`;
    }
  }
}

function* missing(files: readonly VerifiedFile[], expected: readonly ChainHead[]): Generator<string> {
  for (const head of expected) {
    if (head.seq === NOTHING.seq) continue;
    const text = formatHead(head);
    if (!files.some(({ found }) => found.has(text))) {
      yield `the line ${text} that is expected is in no file: lines at an end are missing, or were changed`;
    }
  }
}

function openEnds(files: readonly VerifiedFile[]): string[] {
  const continued = new Set(files.map(({ after }) => after && formatHead(after)));
  return files
    .filter(({ head, isClosed }) => head !== undefined && !isClosed && !continued.has(formatHead(head)))
    .map(
      ({ file }) =>
        `${file} has no closing line: its process is running, was killed, or lines at its end are missing. ` +
        'Only a head that was noted elsewhere (--expect-head) can tell',
    );
}
