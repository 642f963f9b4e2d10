import { isLibraryFrame } from './library-frames.ts';

/** A call in a stack trace. */
export interface StackFrame {
  /** The function's name; empty if the trace does not contain the name. */
  readonly call: string;
  /** The file, line and column as the trace contains them: `/srv/app/capture.ts:88:11`. */
  readonly place: string;
  /** The source line, which only Python's traces contain. */
  readonly code?: string | undefined;
  /** Whether the frame belongs to the application, not to a library, the runtime or Temporal's SDK. */
  readonly own: boolean;
}

/** Matches the line above the frames: `TypeError: Cannot read …`, `java.lang.IllegalStateException`. */
const ERROR_CLASS = /^(?:[\w$]+\.)*(\w*(?:Error|Exception|Failure))(?::|$)/m;
/** Number of characters at the start of a stack trace that are searched for the error's class. */
const MAX_HEADER = 4_000;

/**
 * Returns a failure's kind. An error in workflow code that the SDK does not convert has no kind (`Failure`), but its
 * stack trace names the class.
 */
export const kindName = (kind: string, stackTrace: string): string =>
  (kind === 'Failure' ? ERROR_CLASS.exec(stackTrace.slice(0, MAX_HEADER))?.[1] : undefined) ?? kind;

/** A line of a stack trace: a frame, or text such as the message above the frames. */
export type StackLine = { readonly text: string } | StackFrame;

interface Form {
  readonly pattern: RegExp;
  readonly frame: (match: readonly string[]) => readonly [call: string, place: string];
}

/** Patterns for the frames of each language with a Temporal SDK. */
const forms: readonly Form[] = [
  // .NET: at Shop.Capture.Run() in /src/Capture.cs:line 88
  {
    pattern: /^\s*at (.+) in (.+):line (\d+)$/,
    frame: ([, call = '', file = '', line = '']) => [call, `${file}:${line}`],
  },
  // JavaScript: at capture (/srv/capture.ts:88:11); Java: at shop.Capture.run(Capture.java:88). If the brackets could
  // contain any text, this line of a message would count as a frame: at customer Mira Novak (id:17)
  {
    pattern:
      /^\s*at (.+?) ?\(((?!eval at )(?=(?:[^()./\\>\]]|\([^()]*\))*[./\\>\]])(?:[^()]|\([^()]*\))*(?=\)$)(?<=:(?:\d+|0x[\da-f]+))|[^()]*\.(?:java|kt|scala|groovy)|native|<anonymous>|Native Method|Unknown Source|index \d+)\)$/,
    frame: ([, call = '', place = '']) => [call, place],
  },
  // .NET without debug symbols: at Shop.Capture.Run(String id)
  {
    pattern: /^\s*at ([^\s(]+\.[^\s(]+)\(((?!\d)[^()]*)\)$/,
    frame: ([, call = '', place = '']) => [call, place],
  },
  { pattern: /^\s*at (?:async )?(\S*[^\s\d.:]\S*:\d+:\d+)$/, frame: ([, place = '']) => ['', place] },
  // Python: File "/srv/capture.py", line 88, in capture
  {
    pattern: /^\s*File "(.+)", line (\d+)(?:, in (.+))?$/,
    frame: ([, file = '', line = '', call = '']) => [call, `${file}:${line}`],
  },
  // Ruby: /srv/capture.rb:88:in 'capture'
  { pattern: /^\s*(?:from )?(\S+:\d+):in [`'](.+)'$/, frame: ([, place = '', call = '']) => [call, place] },
  // PHP: #0 /srv/capture.php(88): capture()
  {
    pattern: /^\s*#\d+ (.+)\((\d+)\): (.+)$/,
    frame: ([, file = '', line = '', call = '']) => [call, `${file}:${line}`],
  },
];

/** Go writes a frame on two lines: the call, then the file and line, indented. */
const goCall = /^(\S+)\(/;
const goPlace = /^\t(\S+:\d+)(?: \+0x[\da-f]+)?$/;

/** Parses a stack trace line by line. Keeps lines in an unknown form as text, and drops empty lines. */
export function stackLines(stackTrace: string): StackLine[] {
  const lines = stackTrace.split('\n').filter((line) => line.trim() !== '');
  const found: StackLine[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const next = lines[at + 1] ?? '';
    const call = isLong(line) || !line.endsWith(')') ? undefined : goCall.exec(line)?.[1];
    const [, place] = goPlace.exec(next) ?? [];
    if (call !== undefined && place !== undefined) {
      found.push(frameOf(call, place));
      at += 1;
      continue;
    }
    const frame = frameIn(line);
    if (!frame) {
      found.push({ text: line });
      continue;
    }
    // The source line is indented more than its frame.
    const isCode = line.trimStart().startsWith('File "') && indent(next) > indent(line) && !frameIn(next);
    found.push(isCode ? { ...frame, code: next.trim() } : frame);
    if (isCode) at += 1;
  }
  return found;
}

/**
 * Returns whether a line is too long to parse. The patterns take quadratic time on some lines, so long lines are
 * kept as text.
 */
const isLong = (line: string) => line.length > 1_000;

const indent = (line: string) => line.length - line.trimStart().length;

function frameIn(line: string): StackFrame | undefined {
  if (isLong(line)) return undefined;
  for (const { pattern, frame } of forms) {
    const match = pattern.exec(line);
    if (match) return frameOf(...frame(match));
  }
  return undefined;
}

const frameOf = (call: string, place: string): StackFrame => ({
  call,
  place,
  own: !isLibraryFrame(call, place),
});

export const isFrame = (line: StackLine): line is StackFrame => 'place' in line;

/** Python writes the innermost call last. All other languages write the innermost call first. */
const innermostLast = /^[ \t]*File ".+", line \d/m;

/** Returns the application's frames, innermost first. */
export function ownFrames(stackTrace: string): StackFrame[] {
  const frames = stackLines(stackTrace)
    .filter((line) => isFrame(line))
    .filter(({ own }) => own);
  return innermostLast.test(stackTrace) ? frames.toReversed() : frames;
}

/**
 * A visible row of a stack trace: either a line, or a fold of adjacent library frames that the user can open.
 */
export type StackRow =
  | { readonly kind: 'line'; readonly line: StackLine }
  /** `from` is the position of the first frame, and identifies the fold. */
  | { readonly kind: 'libraries'; readonly from: number; readonly count: number };

/** Folds adjacent library frames. Does not fold a trace that has no application frames. */
export function stackRows(lines: readonly StackLine[], open: ReadonlySet<number>): StackRow[] {
  const hasOwn = lines.some((line) => isFrame(line) && line.own);
  const rows: StackRow[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at];
    if (!line) continue;
    if (!hasOwn || !isFrame(line) || line.own) {
      rows.push({ kind: 'line', line });
      continue;
    }
    const end = lines.findIndex((other, index) => index > at && (!isFrame(other) || other.own));
    const frames = lines.slice(at, end < 0 ? lines.length : end);
    rows.push({ kind: 'libraries', from: at, count: frames.length });
    if (open.has(at)) rows.push(...frames.map((frame) => ({ kind: 'line' as const, line: frame })));
    at += frames.length - 1;
  }
  return rows;
}
