import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

const source = pathToFileURL(join(import.meta.dirname, '..', '..', 'src', 'memory', 'heap.ts')).href;

/** What a program prints in a process with a heap of its own. */
const run = (program: string, ...flags: string[]): string =>
  execFileSync(process.execPath, [...flags, '--input-type=module', '--eval', program], { encoding: 'utf8' });

const ours = `import { countBuffersAsHeap } from '${source}'; countBuffersAsHeap();`;
const work =
  'let kept = []; for (let n = 0; n < 20_000; n += 1) kept.push(new ArrayBuffer(32_768)) > 500 && (kept = [])';
/** How often V8 marks its whole heap while 640 MiB of buffers are made, at most 16 MiB of them alive. */
const markings = (program: string, ...flags: string[]): number =>
  run(program, '--trace-gc', ...flags).split('Mark-Compact').length - 1;

describe('short-lived buffers', () => {
  // V8's flags come and go: an update of Node that drops this one shall be noticed here, not by the lost speed.
  it('do not make V8 mark its whole heap', () => {
    expect(markings(work)).toBeGreaterThan(3);
    // V8 also marks when its scheduler finds time to: on a busy machine once or twice more in some runs.
    const runs = Array.from({ length: 3 }, () => markings(ours + work));
    expect(Math.min(...runs)).toBeLessThan(3);
  });

  it("are counted by V8's default where the heap is small", () => {
    expect(markings(ours + work, '--max-old-space-size=96')).toBeGreaterThan(3);
  });
});

it.each([
  ['a small heap', '96', 20],
  ['a usual one', '2048', 64],
])('limits the raw history of %s', (_, megabytes, most) => {
  const kept = run(
    `import { historyBytes } from '${source}'; console.log(historyBytes() / 2 ** 20)`,
    `--max-old-space-size=${megabytes}`,
  );
  expect(Number(kept)).toBeGreaterThan(8);
  expect(Number(kept)).toBeLessThanOrEqual(most);
});

it.each([
  ['a small heap', ['--max-old-space-size=96', '--max-semi-space-size=8'], 48, 96],
  ['a usual one', ['--max-old-space-size=2048'], 96, 512],
])('limits the requests in flight of %s', (_, flags, least, most) => {
  const budget = run(
    `import { inflightBytes } from '${source}'; console.log(inflightBytes() / 2 ** 20)`,
    ...flags,
  );
  expect(Number(budget)).toBeGreaterThanOrEqual(least);
  expect(Number(budget)).toBeLessThanOrEqual(most);
});
