import { createReadStream } from 'node:fs';
import { type ChainHead, formatHead, hashOf, type Link, linkOf, NOTHING } from './chain.ts';
import { type Mark, markOf } from './file-marks.ts';

interface Problem {
  readonly line: number;
  readonly problem: string;
}

/** What one file holds. Its problems are those that the file alone shows. */
export interface VerifiedFile {
  readonly file: string;
  readonly lines: number;
  readonly bytes: number;
  /** What its first line follows; absent where no line is in a chain. */
  readonly after: ChainHead | undefined;
  /** Its last line. */
  readonly head: ChainHead | undefined;
  /** Whether its last line is one with which a process has ended in order. */
  readonly isClosed: boolean;
  /** Last lines of processes that this file's lines don't follow. */
  readonly lost: readonly { readonly line: number; readonly head: ChainHead }[];
  /** The expected heads that are among its lines. */
  readonly found: ReadonlySet<string>;
  readonly problems: readonly Problem[];
  /** More than are listed. */
  readonly problemCount: number;
}

export interface VerifyFileOptions {
  /** Lines without a link are others' and skipped: standard output as it was collected. */
  readonly mixed: boolean;
  /** Heads to look for. */
  readonly expected: readonly ChainHead[];
  readonly progress?: (bytes: number) => void;
}

const MAX_PROBLEMS = 100;
const LINE_FEED = 0x0a;
/** No line that is written is longer. */
const MAX_LINE = 1024 * 1024;

/** Reads a file once, from its beginning, and keeps no more of it than a line. @throws Node's error */
export async function verifyFile(file: string, options: VerifyFileOptions): Promise<VerifiedFile> {
  const check = new FileCheck(file, options);
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    const text: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let begin = 0;
    for (let end = text.indexOf(LINE_FEED); end >= 0; end = text.indexOf(LINE_FEED, begin)) {
      check.line(text.subarray(begin, end + 1));
      begin = end + 1;
    }
    rest = text.subarray(begin);
    if (rest.length > MAX_LINE) {
      check.tooLong(rest);
      rest = Buffer.alloc(0);
    }
    options.progress?.(check.bytes);
  }
  return check.ended(rest);
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
  /** Lines since the last one of the chain that have no link. */
  #torn: { readonly line: number; bytes: Buffer[]; size: number } | undefined;
  readonly #lost: { line: number; head: ChainHead }[] = [];
  readonly #found = new Set<string>();
  readonly #problems: Problem[] = [];
  #problemCount = 0;
  /** How far lines are from where they were written, and how many problems there were when that was seen. */
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

  /** @param text with its line feed */
  line(text: Buffer): void {
    this.#lines += 1;
    const link = linkOf(text.subarray(0, -1));
    if (link === undefined) this.#unlinked(text);
    else this.#linked(text, link);
    this.bytes += text.length;
  }

  tooLong(text: Buffer): void {
    this.#unlinked(text);
    this.bytes += text.length;
  }

  ended(rest: Buffer): VerifiedFile {
    if (rest.length > 0) {
      this.#lines += 1;
      if (!this.#options.mixed)
        this.#problem('the file ends within a line: it was cut off, or a crash left it');
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
    const mark = markOf(text.subarray(0, -1));
    this.#checkOpening(link, mark);
    if (mark?.event === 'opened') this.#checkMark(mark);
    else this.#noTorn();
    this.#torn = undefined;
    const head = { seq: link.seq, hash: hashOf(text) };
    for (const expected of this.#expected.get(link.seq) ?? [])
      if (expected === formatHead(head)) this.#found.add(expected);
    this.#head = head;
    this.#instance = link.instance;
    this.#isClosed = mark?.event === 'closed';
  }

  /** Whether the line follows the one before, or begins what others are to continue. */
  #checkOpening({ seq, prev, instance }: Link, mark: Mark | undefined): void {
    const isOpening = mark?.event === 'opened';
    const before = this.#head;
    if (before === undefined) {
      this.#after = { seq: seq - 1, hash: prev };
      if (!isOpening) this.#problem('lines are missing before this one: no process begins with it');
      if (isOpening && seq === 1 && prev !== NOTHING.hash)
        this.#problem('the first line follows another one');
      return;
    }
    // Standard output of one process after the other.
    if (this.#options.mixed && isOpening && seq === 1 && prev === NOTHING.hash) return;
    if (seq > before.seq + 1) this.#problem(`lines are missing: ${before.seq + 1} to ${seq - 1}`);
    else if (seq <= before.seq) {
      this.#problem(`line number ${seq} follows ${before.seq}: lines were repeated, put in or put elsewhere`);
    } else if (prev !== before.hash) {
      this.#problem(`does not follow the line before it (number ${before.seq}): one of the two was changed`);
    }
    if (instance !== this.#instance && !isOpening) {
      this.#problem('another process goes on without a line that says so');
    }
  }

  #checkMark({ at, torn, lost }: Extract<Mark, { event: 'opened' }>): void {
    if (lost !== undefined) this.#lost.push({ line: this.#lines, head: lost });
    if (this.#options.mixed) return;
    this.#checkPosition(at ?? this.bytes);
    const left = this.#torn;
    if (torn === undefined) this.#noTorn();
    else if (left === undefined || hashOf(Buffer.concat(left.bytes)) !== torn.sha256) {
      this.#problem('what a crash or a full disk had left before this line was changed');
    }
  }

  #checkPosition(at: number): void {
    const shift = this.bytes - at;
    // A problem that was found before has moved everything behind it.
    if (shift !== this.#shift && this.#problemCount === this.#problemsBefore) {
      this.#problem(`is at byte ${this.bytes}, and was written at byte ${at}: lines before it are missing`);
    }
    this.#shift = shift;
    this.#problemsBefore = this.#problemCount;
  }

  #unlinked(text: Buffer): void {
    if (this.#options.mixed) return;
    this.#torn ??= { line: this.#lines, bytes: [], size: 0 };
    this.#torn.size += text.length;
    // More is no rest of a write, whatever a line says of it.
    if (this.#torn.size <= 2 * MAX_LINE) this.#torn.bytes.push(Buffer.from(text));
  }

  /** What has no link is no part of the chain, unless the next line names it. */
  #noTorn(): void {
    if (this.#torn === undefined) return;
    const { line } = this.#torn;
    this.#torn = undefined;
    this.#problem('carries no link: it was put in, damaged, or written by a version that had no chain', line);
  }

  #problem(problem: string, line = this.#lines): void {
    this.#problemCount += 1;
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push({ line, problem });
  }
}
