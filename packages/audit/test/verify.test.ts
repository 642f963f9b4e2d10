import { appendFile, copyFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { chain, type ChainHead, formatHead, hashOf, NOTHING, parseHead } from '../src/chain.ts';
import { closedLine, type Opened, openedLine } from '../src/lines.ts';
import { verifyAudit, verifyFile, type VerifyOptions } from '../src/verify.ts';

const directory = await mkdtemp(join(tmpdir(), 'audit-verify-'));
afterAll(() => rm(directory, { recursive: true }));

const ONE = '1'.repeat(16);
const OTHER = '2'.repeat(16);
const entry = (n: number) => `{"n":${n}}\n`;

let files = 0;
/** Writes chains to a file, one after the other, and returns the file's path and last head. */
async function write(after: ChainHead, ...processes: (readonly [string, readonly string[]] | string)[]) {
  const file = join(directory, `${(files += 1)}.jsonl`);
  let head = after;
  await writeFile(file, '');
  for (const process of processes) {
    if (typeof process === 'string') {
      await appendFile(file, process);
      continue;
    }
    const next = chain(process[0], head, process[1]);
    head = next.head;
    await appendFile(file, next.bytes);
  }
  return { file, head };
}

/** The lines of one process: an opening line, entries, and perhaps a closing line. */
const lines = (instance: string, opened: Opened, entries: number, isClosed = true) =>
  [
    instance,
    [
      openedLine(instance, opened),
      ...Array.from({ length: entries }, (_, n) => entry(n)),
      ...(isClosed ? [closedLine(instance)] : []),
    ],
  ] as const;

const verify = (given: readonly string[], over: Partial<VerifyOptions> = {}) =>
  verifyAudit({ files: given, mixed: false, expected: [], after: [], ...over });

const inOne = async (file: string, over: { readonly mixed?: boolean } = {}) =>
  (await verifyFile(file, { mixed: false, expected: [], ...over })).problems;

const ofProcess = (after = NOTHING, opened: Opened = {}) => write(after, lines(ONE, opened, 2));

describe('parseHead', () => {
  const head = { seq: 12, hash: 'a0'.repeat(32) };

  it('parses what formatHead returns', () => {
    expect(parseHead(formatHead(head))).toEqual(head);
    expect(parseHead(formatHead(NOTHING))).toEqual(NOTHING);
  });

  it.each([
    ['text before it', ` ${formatHead(head)}`],
    ['text after it', `${formatHead(head)}0`],
    ['a leading zero', `0${formatHead(head)}`],
    ['17 digits', `1${'0'.repeat(16)}:${head.hash}`],
    ['upper-case digits', formatHead(head).toUpperCase()],
    ['no number', `:${head.hash}`],
  ])('returns undefined for a head with %s', (_name, text) => {
    expect(parseHead(text)).toBeUndefined();
  });
});

describe('verifyAudit', () => {
  it('accepts several files in any order, if each follows another file or begins a chain', async () => {
    const first = await ofProcess();
    const second = await ofProcess(first.head);
    const anotherChain = await write(NOTHING, lines(OTHER, {}, 1));
    expect(await verify([second.file, anotherChain.file, first.file])).toMatchObject({
      ok: true,
      problems: [],
      notes: [],
    });
  });

  it('fails if one of several files that follow one another has a problem', async () => {
    const first = await ofProcess();
    const second = await write(first.head, lines(ONE, {}, 1), 'not an audit line\n');
    expect(await verify([first.file, second.file])).toMatchObject({
      ok: false,
      problems: [],
      files: [{ problemCount: 0 }, { problemCount: 1 }],
    });
  });

  it('reports a gap if a file follows a line that no other file ends with, unless that line is given', async () => {
    const { head } = await ofProcess();
    const second = await ofProcess(head);
    expect(await verify([second.file])).toMatchObject({
      ok: false,
      problems: [
        `${second.file} follows ${formatHead(head)}, but no given file ends with that line: lines or a file are missing. ` +
          'Also name the previous file, or use --after with that value if that file was removed on purpose',
      ],
    });
    expect(await verify([second.file], { after: [head] })).toMatchObject({ ok: true, problems: [] });
  });

  it('reports two files that follow the same line', async () => {
    const first = await ofProcess();
    const second = await ofProcess(first.head);
    const third = await write(first.head, lines(OTHER, {}, 1));
    const copy = await ofProcess(first.head);
    await copyFile(second.file, copy.file);
    const both = `both follow ${formatHead(first.head)}: one of them is a copy or was inserted`;
    for (const last of [third, copy])
      expect((await verify([first.file, second.file, last.file])).problems).toEqual([
        `${last.file} and ${second.file} ${both}`,
      ]);
  });

  it('reports a copy of the first file', async () => {
    const first = await ofProcess();
    expect((await verify([first.file, first.file])).problems).toEqual([
      `${first.file} and ${first.file} end with the same line: one of them is a copy`,
    ]);
  });

  it('reports a file without a chained line', async () => {
    const first = await ofProcess();
    const empty = await write(NOTHING);
    expect(await verify([empty.file, first.file])).toMatchObject({
      ok: false,
      problems: [`${empty.file} contains no chained line`],
      notes: [],
    });
  });

  it('reports an expected line that no file contains', async () => {
    const first = await ofProcess();
    const second = await ofProcess(first.head);
    const given = [first.file, second.file];
    expect(await verify(given, { expected: [NOTHING, second.head, first.head] })).toMatchObject({ ok: true });
    const other = { ...first.head, hash: 'f'.repeat(64) };
    expect(await verify(given, { expected: [first.head, other] })).toMatchObject({
      ok: false,
      problems: [
        `no file contains the expected line ${formatHead(other)}: lines at the end of a file are missing or were changed`,
      ],
    });
  });

  it('reports a line that a process recorded as lost, if no file contains the line', async () => {
    const first = await ofProcess();
    const found = await write(NOTHING, lines(OTHER, { lost: first.head }, 0));
    expect(await verify([first.file, found.file])).toMatchObject({ ok: true });
    const lost = { ...first.head, seq: 9 };
    const { file } = await write(NOTHING, lines(OTHER, { lost }, 0));
    expect((await verify([first.file, file])).problems).toEqual([
      `${file}:1 records that the process had written ${formatHead(lost)} elsewhere, but no file has that line`,
    ]);
  });

  it('notes each file that has no closing line and is not followed by another file', async () => {
    const first = await write(NOTHING, lines(ONE, {}, 1, false));
    const second = await write(first.head, lines(ONE, {}, 1, false));
    expect(await verify([first.file, second.file])).toMatchObject({
      ok: true,
      notes: [
        `${second.file} has no closing line: its process is still running or was killed, or lines are missing at the end. ` +
          'To find out, give a head that was stored elsewhere as --expect-head',
      ],
    });
  });

  it('reports its progress while it reads the files', async () => {
    const first = await ofProcess();
    const second = await ofProcess(first.head);
    const progress = vi.fn();
    const { files: verified } = await verify([first.file, second.file], { progress });
    expect(progress.mock.calls).toEqual(verified.map(({ file, bytes }) => [file, bytes]));
    expect(verified.map((one) => [one.lines, one.head])).toEqual([
      [4, first.head],
      [4, second.head],
    ]);
  });
});

describe('verifyFile', () => {
  it.each<[string, () => Promise<{ readonly file: string }>, readonly (readonly [number, string])[]]>([
    [
      'begins with a line that is not the first line of a process',
      () => write(NOTHING, [ONE, [entry(0)]]),
      [[1, 'lines are missing before this line: it is not the first line of a process']],
    ],
    [
      'begins with an opening line that records a lost line without its hash',
      () => write(NOTHING, [ONE, [openedLine(ONE, {}).replace('"opened",', '"opened","lost":"7",')]]),
      [[1, 'lines are missing before this line: it is not the first line of a process']],
    ],
    [
      'begins with a first line that follows another line',
      () => write({ ...NOTHING, hash: hashOf('x') }, lines(ONE, {}, 0)),
      [[1, 'the first line of the chain follows another line']],
    ],
    [
      'lacks lines',
      async () => {
        const first = chain(ONE, NOTHING, [openedLine(ONE, {}), entry(1), entry(2), entry(3)]);
        const kept = first.bytes.toString().split(/(?<=\n)/);
        return await write(NOTHING, kept[0]! + kept[3]!);
      },
      [[2, 'lines are missing: 2 to 3']],
    ],
    [
      'repeats a line',
      async () => {
        const first = chain(ONE, NOTHING, [openedLine(ONE, {}), entry(1)]);
        const kept = first.bytes.toString().split(/(?<=\n)/);
        return await write(NOTHING, kept[0]! + kept[1]! + kept[1]!);
      },
      [[3, 'line 2 follows line 2: lines were repeated, inserted or moved']],
    ],
    [
      'has a changed line',
      async () => {
        const first = chain(ONE, NOTHING, [openedLine(ONE, {}), entry(1), entry(2)]);
        return await write(NOTHING, first.bytes.toString().replace('"n":1', '"n":7'));
      },
      [[3, 'does not follow the previous line (number 2): one of the two was changed']],
    ],
    [
      'has another process’s lines without an opening line',
      () => write(NOTHING, lines(ONE, {}, 0, false), [OTHER, [entry(1)]]),
      [[2, 'another process continues the chain without an opening line']],
    ],
    [
      'ends within a line that has the maximum length',
      () => write(NOTHING, lines(ONE, {}, 0), '{'.repeat(2 ** 20)),
      [[3, 'the file ends within a line: it was truncated, or a crash interrupted a write']],
    ],
    [
      'has lines without a link',
      () => write(NOTHING, lines(ONE, {}, 0, false), '{}\n{}\n', [ONE, [closedLine(ONE)]], '{}\n'),
      [
        [2, 'has no link: it was inserted, damaged, or written by a version without hash chains'],
        [5, 'has no link: it was inserted, damaged, or written by a version without hash chains'],
      ],
    ],
    [
      'has a line that is too long',
      () => write(NOTHING, lines(ONE, {}, 0), `${'{'.repeat(2 ** 21)}\n`),
      [[3, 'is longer than 1048576 bytes, the limit for a line: it was inserted or damaged']],
    ],
  ])('reports a file that %s', async (_, make, expected) => {
    const { file } = await make();
    const { problems, bytes } = await verifyFile(file, { mixed: false, expected: [] });
    expect(problems).toEqual(expected.map(([line, problem]) => ({ line, problem })));
    expect(bytes).toBe((await stat(file)).size);
  });

  it('accepts an incomplete last line while a process writes to the file', async () => {
    const { file, head } = await write(NOTHING, lines(ONE, {}, 0, false), '{"severity"');
    expect((await verifyFile(file, { mixed: false, live: true, expected: [] })).problems).toEqual([]);
    expect(await verifyFile(file, { mixed: false, live: true, expected: [] })).toMatchObject({
      head,
      lines: 2,
    });
  });

  it('lists the first 100 problems of a file, and counts all of them', async () => {
    const inserted = Array.from({ length: 101 }, (_, n) => ['{}\n', [ONE, [entry(n)]] as const]).flat();
    const { file } = await write(NOTHING, lines(ONE, {}, 0, false), ...inserted);
    const { problems, problemCount } = await verifyFile(file, { mixed: false, expected: [] });
    expect([problems.length, problemCount]).toEqual([100, 101]);
  });

  it('accepts at most 10,000 lines per file that record a lost line', async () => {
    const opened = Array.from({ length: 10_001 }, () => openedLine(ONE, { lost: NOTHING }));
    const { file } = await write(NOTHING, [ONE, opened]);
    const { lost, problems } = await verifyFile(file, { mixed: true, expected: [] });
    expect(lost).toHaveLength(10_000);
    expect(problems).toEqual([
      { line: 10_001, problem: 'records a lost line, like 10000 or more earlier lines' },
    ]);
  });
});

const torn = (left: string) => ({ bytes: left.length, sha256: hashOf(left) });

describe('an opening line', () => {
  const first = chain(ONE, NOTHING, [openedLine(ONE, { at: 0 }), entry(1)]);
  const size = first.bytes.length;
  const second = (opened: Opened) => write(first.head, first.bytes.toString(), lines(OTHER, opened, 0));

  it('must be at the position that it records', async () => {
    expect(await inOne((await second({ at: size })).file)).toEqual([]);
    expect(await inOne((await second({ at: size + 7 })).file)).toEqual([
      {
        line: 3,
        problem: `is at byte ${size}, and was written at byte ${size + 7}: lines before it are missing`,
      },
    ]);
  });

  it('is reported as moved only once, if later opening lines moved by the same number of bytes', async () => {
    const moved = chain(OTHER, first.head, [openedLine(OTHER, { at: size + 7 })]);
    const at = size + moved.bytes.length;
    const third = (shift: number) =>
      write(moved.head, first.bytes.toString(), moved.bytes.toString(), lines(ONE, { at: at + shift }, 0));
    expect(await inOne((await third(7)).file)).toHaveLength(1);
    expect(await inOne((await third(8)).file)).toHaveLength(2);
  });

  it('is not reported as moved if an already reported problem explains the move', async () => {
    const whole = chain(ONE, NOTHING, [openedLine(ONE, { at: 0 }), entry(1), entry(2)]);
    const [opening, , last] = whole.bytes.toString().split(/(?<=\n)/);
    const opened = lines(OTHER, { at: whole.bytes.length }, 0);
    const { file } = await write(whole.head, opening! + last!, opened);
    expect(await inOne(file)).toEqual([{ line: 2, problem: 'lines are missing: 2 to 2' }]);
  });

  const changed = 'bytes that a crash or full disk left before this line were changed';
  it.each<[string, string, Opened, readonly string[]]>([
    ['unchanged', '{"n"\n', { at: size + 5, torn: torn('{"n"\n') }, []],
    ['changed', '{"m"\n', { at: size + 5, torn: torn('{"n"\n') }, [changed]],
    ['removed', '', { at: size, torn: torn('{"n"\n') }, [changed]],
    ['not recorded', '{"n"\n', { at: size + 5 }, [expect.stringContaining('has no link')]],
  ])('shows whether the bytes that a crash left before it were %s', async (_, left, opened, expected) => {
    const { file } = await write(first.head, first.bytes.toString(), left, lines(OTHER, opened, 0));
    expect((await inOne(file)).map(({ problem }) => problem)).toEqual(expected);
  });

  it('may follow at most 2 MiB of bytes that a crash left', async () => {
    for (const [length, expected] of [
      [2 ** 21, []],
      [2 ** 21 + 1, [changed]],
    ] as const) {
      const left = `${'{'.repeat(length - 1)}\n`;
      const { file } = await write(
        first.head,
        first.bytes.toString(),
        left,
        lines(OTHER, { at: size + length, torn: torn(left) }, 0),
      );
      expect((await inOne(file)).map(({ problem }) => problem)).toEqual(expected);
    }
  });
});

describe('standard output', () => {
  const others = `{"message":"listening"}\n${'x'.repeat(2 ** 21)}\n`;

  it('may contain other programs’ lines, and a separate chain for each process', async () => {
    const { file } = await write(NOTHING, others, lines(ONE, { at: 7 }, 1), others);
    const again = chain(OTHER, NOTHING, lines(OTHER, {}, 1)[1]);
    await appendFile(file, `${again.bytes.toString()}{"unfinished`);
    expect(await inOne(file, { mixed: true })).toEqual([]);
  });

  it('must begin each chain with an opening line that follows no other line', async () => {
    const begin = async (seq: number, first: string, hash = NOTHING.hash) => {
      const { file } = await write(NOTHING, lines(ONE, {}, 0));
      await appendFile(file, chain(ONE, { seq: seq - 1, hash }, [first]).bytes);
      return await inOne(file, { mixed: true });
    };
    expect(await begin(1, entry(1))).toHaveLength(1);
    expect(await begin(2, openedLine(ONE, {}))).toHaveLength(1);
    expect(await begin(1, openedLine(ONE, {}), hashOf('x'))).toHaveLength(1);
    expect(await begin(1, openedLine(ONE, {}))).toHaveLength(0);
  });
});
