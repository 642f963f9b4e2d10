import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type ChainHead, formatHead, hashOf, type Link, linkOf, MIN_LINKED_BYTES, NOTHING } from './chain.ts';
import { type Mark, parseMark } from './lines.ts';

export interface VerifyOptions {
  readonly files: readonly string[];
  /**
   * Skips lines without a link. Set this for standard output, where lines of other programs can be between
   * the audit lines.
   */
  readonly mixed: boolean;
  /** Lines that must be in one of the files. */
  readonly expected: readonly ChainHead[];
  /**
   * The last lines of earlier files that are intentionally missing from `files`, because they have already
   * been verified or were removed on purpose.
   */
  readonly after: readonly ChainHead[];
  readonly progress?: (file: string, bytes: number) => void;
}

export interface Verified {
  readonly ok: boolean;
  readonly files: readonly VerifiedFile[];
  /** Problems that appear only when the files are compared. */
  readonly problems: readonly string[];
  /** Observations that may be problems; the files alone cannot show whether they are. */
  readonly notes: readonly string[];
}

/**
 * Verifies each file, and that the files follow one another. `files` can be in any order.
 * @throws Node's error if a file cannot be read
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
    const ofFile = progress && ((bytes: number) => progress(file, bytes));
    verified.push(await verifyFile(file, { mixed, expected, ...(ofFile && { progress: ofFile }) }));
  }
  const problems = [...linked(verified, after), ...missing(verified, expected)];
  const ok = problems.length === 0 && verified.every(({ problemCount }) => problemCount === 0);
  return { ok, files: verified, problems, notes: openEnds(verified) };
}

/**
 * Yields a problem for each file that neither begins a chain nor follows another file's last line. Also
 * yields a problem if two files follow the same line.
 */
function* linked(files: readonly VerifiedFile[], after: readonly ChainHead[]): Generator<string> {
  const known = new Set(after.map(formatHead));
  for (const { head } of files) if (head !== undefined) known.add(formatHead(head));
  const followers = new Map<string, string>();
  const firsts = new Map<string, string>();
  for (const { file, after: before, head, lost } of files) {
    // Stryker disable next-line ConditionalExpression,LogicalOperator: `after` and `head` are either both set or both undefined.
    if (before === undefined || head === undefined) {
      yield `${file} contains no chained line`;
      continue;
    }
    const link = formatHead(before);
    if (before.seq > 0 && !known.has(link)) {
      yield (
        `${file} follows ${link}, but no given file ends with that line: lines or a file are missing. ` +
        'Also name the previous file, or use --after with that value if that file was removed on purpose'
      );
    }
    const other = before.seq > 0 ? followers.get(link) : undefined;
    if (other === undefined) followers.set(link, file);
    else yield `${file} and ${other} both follow ${link}: one of them is a copy or was inserted`;
    const same = firsts.get(formatHead(head));
    if (same === undefined) firsts.set(formatHead(head), file);
    else if (other === undefined) yield `${file} and ${same} end with the same line: one of them is a copy`;
    for (const { line, head: own } of lost) {
      if (!known.has(formatHead(own)))
        yield `${file}:${line} records that the process had written ${formatHead(own)} elsewhere, but no file has that line`;
    }
  }
}

function* missing(files: readonly VerifiedFile[], expected: readonly ChainHead[]): Generator<string> {
  for (const head of expected) {
    if (head.seq === NOTHING.seq) continue;
    const text = formatHead(head);
    if (!files.some(({ found }) => found.has(text))) {
      yield `no file contains the expected line ${text}: lines at the end of a file are missing or were changed`;
    }
  }
}

function openEnds(files: readonly VerifiedFile[]): string[] {
  const continued = new Set(files.map(({ after }) => after && formatHead(after)));
  return files
    .filter(({ head, isClosed }) => head !== undefined && !isClosed && !continued.has(formatHead(head)))
    .map(
      ({ file }) =>
        `${file} has no closing line: its process is still running or was killed, or lines are missing at the end. ` +
        'To find out, give a head that was stored elsewhere as --expect-head',
    );
}

interface Problem {
  readonly line: number;
  readonly problem: string;
}

/** The result for one file, with the problems that are visible in this file alone. */
export interface VerifiedFile {
  readonly file: string;
  readonly lines: number;
  readonly bytes: number;
  /** The head of the chain before the file's first chained line; absent if no line is chained. */
  readonly after: ChainHead | undefined;
  /** The file's last chained line. */
  readonly head: ChainHead | undefined;
  /** Whether the file's last chained line is a closing line. */
  readonly isClosed: boolean;
  /**
   * Lines that processes recorded as lost, and that this file does not contain. A process records its own
   * previous line as lost.
   */
  readonly lost: readonly { readonly line: number; readonly head: ChainHead }[];
  /** The expected heads that the file contains. */
  readonly found: ReadonlySet<string>;
  readonly problems: readonly Problem[];
  /** Number of all problems; only the first 100 are listed. */
  readonly problemCount: number;
}

interface VerifyFileOptions {
  /** Skips lines without a link. */
  readonly mixed: boolean;
  /** Heads to search for. */
  readonly expected: readonly ChainHead[];
  /** True if a process is writing to the file, so that the last line may be incomplete. */
  readonly live?: boolean;
  readonly progress?: (bytes: number) => void;
}

const MAX_PROBLEMS = 100;
/**
 * Maximum number of lines in one file that record a lost line. A process records a lost line after its file
 * was replaced.
 */
const MAX_LOST = 10_000;
const LINE_FEED = 0x0a;
/** Maximum length of a line in bytes. No process writes a longer line. */
const MAX_LINE = 1024 * 1024;

/** Reads a file once, from its beginning, and keeps at most a few MiB of it in memory. @throws Node's error */
export async function verifyFile(file: string, options: VerifyFileOptions): Promise<VerifiedFile> {
  const check = new FileCheck(file, options);
  let rest: Buffer = Buffer.alloc(0);
  // Stryker disable next-line ObjectLiteral: affects only the speed.
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    // Stryker disable next-line ConditionalExpression: affects only the speed.
    const text: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let begin = 0;
    for (let end = text.indexOf(LINE_FEED); end >= 0; end = text.indexOf(LINE_FEED, begin)) {
      if (end - begin < MIN_LINKED_BYTES) {
        const run = shortLines(text, begin);
        check.short(text.subarray(begin, run.end), run.count);
        begin = run.end;
      } else {
        check.line(text.subarray(begin, end + 1));
        begin = end + 1;
      }
    }
    rest = text.subarray(begin);
    if (rest.length > MAX_LINE) {
      check.tooLong(rest);
      rest = Buffer.alloc(0);
    }
    options.progress?.(check.bytes);
  }
  return check.finish(rest);
}

/** Finds consecutive lines that are too short for a link. Returns where they end, and how many there are. */
function shortLines(text: Buffer, begin: number): { readonly end: number; readonly count: number } {
  let end = begin;
  let count = 0;
  for (let at = begin; at < text.length && at - end < MIN_LINKED_BYTES; at += 1) {
    if (text[at] !== LINE_FEED) continue;
    end = at + 1;
    count += 1;
  }
  return { end, count };
}

class FileCheck {
  readonly #file: string;
  readonly #options: VerifyFileOptions;
  readonly #expected: ReadonlyMap<number, readonly string[]>;
  bytes = 0;
  #lines = 0;
  #after: ChainHead | undefined;
  #head: ChainHead | undefined;
  #instance: string | undefined;
  #isClosed = false;
  /** Lines without a link after the last chained line. */
  #torn: { readonly line: number; readonly hash: Hash; size: number; isTooLong: boolean } | undefined;
  readonly #lost: { line: number; head: ChainHead }[] = [];
  readonly #found = new Set<string>();
  readonly #problems: Problem[] = [];
  #problemCount = 0;
  /**
   * Number of bytes by which the latest opening line has moved from its original position. `#problemsBefore` is
   * the number of problems that had been found before that line.
   */
  #shift = 0;
  #problemsBefore = 0;

  constructor(file: string, options: VerifyFileOptions) {
    this.#file = file;
    this.#options = options;
    this.#expected = new Map(
      [...Map.groupBy(options.expected, ({ seq }) => seq)].map(([seq, heads]) => [
        seq,
        heads.map(formatHead),
      ]),
    );
  }

  /** @param text the line with its line feed */
  line(text: Buffer): void {
    this.#lines += 1;
    const link = linkOf(text.subarray(0, -1));
    if (link === undefined) this.#unlinked(text);
    else this.#linked(text, link);
    this.bytes += text.length;
  }

  /**
   * Checks, in one call, many lines that are too short for a link: one MiB of a file can contain a million
   * such lines.
   * @param text the lines with their line feeds
   */
  short(text: Buffer, count: number): void {
    this.#lines += 1;
    this.#unlinked(text);
    this.#lines += count - 1;
    this.bytes += text.length;
  }

  /** @param text part of an incomplete line */
  tooLong(text: Buffer): void {
    this.#unlinked(text, this.#lines + 1);
    if (this.#torn !== undefined) this.#torn.isTooLong = true;
    this.bytes += text.length;
  }

  finish(rest: Buffer): VerifiedFile {
    if (rest.length > 0) {
      this.#lines += 1;
      if (!this.#options.mixed && !this.#options.live)
        this.#problem('the file ends within a line: it was truncated, or a crash interrupted a write');
      this.bytes += rest.length;
    }
    this.#noTorn();
    return {
      file: this.#file,
      lines: this.#lines,
      bytes: this.bytes,
      after: this.#after,
      head: this.#head,
      isClosed: this.#isClosed,
      lost: this.#lost,
      found: this.#found,
      problems: this.#problems,
      problemCount: this.#problemCount,
    };
  }

  #linked(text: Buffer, link: Link): void {
    const mark = parseMark(text.subarray(0, -1));
    this.#checkOpening(link, mark);
    if (mark?.event === 'opened') this.#checkMark(mark);
    else this.#noTorn();
    this.#torn = undefined;
    const head = { seq: link.seq, hash: hashOf(text) };
    // Stryker disable next-line ArrayDeclaration: no head equals the text that Stryker inserts.
    for (const expected of this.#expected.get(link.seq) ?? [])
      if (expected === formatHead(head)) this.#found.add(expected);
    this.#head = head;
    this.#instance = link.instance;
    this.#isClosed = mark?.event === 'closed';
  }

  /** Checks that the line follows the previous line, or begins a chain or a process's lines. */
  #checkOpening({ seq, prev, instance }: Link, mark: Mark | undefined): void {
    const isOpening = mark?.event === 'opened';
    const before = this.#head;
    if (before === undefined) {
      this.#after = { seq: seq - 1, hash: prev };
      if (!isOpening)
        this.#problem('lines are missing before this line: it is not the first line of a process');
      else if (seq === 1 && prev !== NOTHING.hash)
        this.#problem('the first line of the chain follows another line');
      return;
    }
    // Several processes wrote to the same standard output, one after the other.
    if (this.#options.mixed && isOpening && seq === 1 && prev === NOTHING.hash) return;
    if (seq > before.seq + 1) this.#problem(`lines are missing: ${before.seq + 1} to ${seq - 1}`);
    else if (seq <= before.seq) {
      this.#problem(`line ${seq} follows line ${before.seq}: lines were repeated, inserted or moved`);
    } else if (prev !== before.hash) {
      this.#problem(`does not follow the previous line (number ${before.seq}): one of the two was changed`);
    }
    if (instance !== this.#instance && !isOpening) {
      this.#problem('another process continues the chain without an opening line');
    }
  }

  #checkMark({ at, torn, lost }: Extract<Mark, { event: 'opened' }>): void {
    if (lost !== undefined) {
      if (this.#lost.length < MAX_LOST) this.#lost.push({ line: this.#lines, head: lost });
      else this.#problem(`records a lost line, like ${MAX_LOST} or more earlier lines`);
    }
    if (this.#options.mixed) return;
    this.#checkPosition(at ?? this.bytes);
    const left = this.#torn;
    if (torn === undefined) this.#noTorn();
    // Whatever size this line records, an interrupted write cannot leave more bytes than two lines of maximum
    // length.
    else if (left === undefined || left.size > 2 * MAX_LINE || left.hash.digest('hex') !== torn.sha256) {
      this.#problem('bytes that a crash or full disk left before this line were changed');
    }
  }

  #checkPosition(at: number): void {
    const shift = this.bytes - at;
    // A problem that was reported earlier has shifted all later lines, so the shift is not reported again.
    if (shift !== this.#shift && this.#problemCount === this.#problemsBefore) {
      this.#problem(`is at byte ${this.bytes}, and was written at byte ${at}: lines before it are missing`);
    }
    this.#shift = shift;
    this.#problemsBefore = this.#problemCount;
  }

  #unlinked(text: Buffer, line = this.#lines): void {
    if (this.#options.mixed) return;
    this.#torn ??= { line, hash: createHash('sha256'), size: 0, isTooLong: false };
    this.#torn.size += text.length;
    this.#torn.hash.update(text);
  }

  /** Reports the lines without a link that the next chained line does not record. */
  #noTorn(): void {
    if (this.#torn === undefined) return;
    const { line, isTooLong } = this.#torn;
    this.#torn = undefined;
    this.#problem(
      isTooLong
        ? `is longer than ${MAX_LINE} bytes, the limit for a line: it was inserted or damaged`
        : 'has no link: it was inserted, damaged, or written by a version without hash chains',
      line,
    );
  }

  #problem(problem: string, line = this.#lines): void {
    this.#problemCount += 1;
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push({ line, problem });
  }
}
