import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { HttpError } from '../src/errors.ts';
import { MemoryBudget, type MemoryLease } from '../src/memory.ts';

const refusalOf = (act: () => void): { status: number; code: string } | undefined => {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    return { status: error.status, code: error.code };
  }
};
const { signal } = new AbortController();

describe('a memory budget', () => {
  test('throws 413 if a lease exceeds its share, and 503 if other leases hold the memory', () => {
    const budget = new MemoryBudget(100, 60);
    const [one, other] = [budget.lease(), budget.lease()];
    expect(refusalOf(() => one.take(61))).toEqual({ status: 413, code: 'too_large' });
    one.take(60);
    other.take(40);
    expect(refusalOf(() => other.take(1))).toEqual({ status: 503, code: 'busy' });
    one.release();
    other.take(20);
    expect([budget.held, budget.refusals]).toEqual([60, { busy: 1, too_large: 1 }]);
  });

  test('limits all page leases together to half of the common memory', async () => {
    const budget = new MemoryBudget(100, 60);
    const [page, other] = [budget.pageLease(), budget.pageLease()];
    expect([budget.pageShare, page.wait(15, signal)]).toEqual([20, undefined]);
    const waiting = other.wait(10, signal);
    expect([waiting instanceof Promise, budget.held, budget.waits]).toEqual([true, 15, 1]);
    page.end();
    await waiting;
    expect(budget.held).toBe(10);
  });

  test('never lends memory to a page lease', async () => {
    const budget = new MemoryBudget(100, 60);
    const lease = budget.lease();
    lease.take(40);
    const page = budget.pageLease();
    const waiting = page.wait(1, signal);
    expect(waiting).toBeInstanceOf(Promise);
    lease.end();
    await waiting;
  });

  test('grants one large lease its whole share, however much memory small leases hold', () => {
    const budget = new MemoryBudget(100, 60);
    for (let n = 0; n < 40; n += 1) budget.lease().take(1);
    const large = budget.lease();
    large.take(30);
    large.take(30);
    expect(refusalOf(() => budget.lease().take(1))).toEqual({ status: 503, code: 'busy' });
    large.release();
    budget.lease().take(60);
  });

  test('lends memory to a lease that may not borrow only after its `goFirst` method is called', async () => {
    const budget = new MemoryBudget(100, 60);
    const later = budget.lease(false);
    later.take(40);
    const waited = later.wait(20, signal);
    expect(waited).toBeInstanceOf(Promise);
    later.goFirst();
    await waited;
    expect(budget.held).toBe(60);
  });

  test('ends a wait when its signal is aborted, and grants the memory to other leases', async () => {
    const budget = new MemoryBudget(100, 60);
    const holder = budget.lease();
    holder.take(60);
    const left = new AbortController();
    const gone = budget.lease().wait(50, left.signal);
    const waits = budget.lease().wait(60, signal);
    left.abort(new Error('gone'));
    await expect(gone).rejects.toThrow('gone');
    holder.release();
    await waits;
    expect([budget.held, budget.waits]).toEqual([60, 2]);
  });

  test('reserves nothing for an ended lease', () => {
    const budget = new MemoryBudget(100, 60);
    const lease = budget.lease();
    lease.take(10);
    lease.end();
    expect(() => lease.take(1)).toThrow('disconnected');
    expect(budget.held).toBe(0);
  });

  test('never grants more memory than its size, and lets every waiting lease finish', async () => {
    // Each lease takes several parts one after the other, holds them while it waits for the next part, and
    // finally releases all of them.
    const parts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.array(parts, { maxLength: 30 }), async (all) => {
        const budget = new MemoryBudget(100, 60);
        const run = async (lease: MemoryLease, sizes: readonly number[]): Promise<void> => {
          for (const size of sizes) {
            if (!lease.fits(size)) break;
            await lease.wait(size, AbortSignal.timeout(30_000));
            expect(budget.held).toBeLessThanOrEqual(100);
          }
          await Promise.resolve();
          lease.end();
        };
        await Promise.all(all.map((sizes) => run(budget.lease(), sizes)));
        expect(budget.held).toBe(0);
      }),
    );
  });
});

const urlOf = (file: string): string => pathToFileURL(join(import.meta.dirname, '..', 'src', file)).href;
const limits = urlOf('memory-limits.ts');

/** Returns the output of a program in a separate process with its own heap. */
const run = (program: string, ...flags: string[]): string =>
  execFileSync(process.execPath, [...flags, '--input-type=module', '--eval', program], { encoding: 'utf8' });

const ours = `import { countBuffersAsHeap } from '${urlOf('memory-collection.ts')}'; countBuffersAsHeap();`;
const work =
  'let kept = []; for (let n = 0; n < 20_000; n += 1) kept.push(new ArrayBuffer(32_768)) > 500 && (kept = [])';
/**
 * Returns how many times V8 marks its whole heap while 625 MiB of buffers are created, of which at most 16
 * MiB are in use at a time.
 */
const markings = (program: string, ...flags: string[]): number =>
  run(program, '--trace-gc', ...flags).split('Mark-Compact').length - 1;

describe('short-lived buffers', () => {
  // This test fails if an update of Node drops the V8 flag; otherwise, the process would become slower
  // without notice.
  it('do not make V8 mark its whole heap', () => {
    expect(markings(work)).toBeGreaterThan(3);
    // V8's scheduler also marks the heap when it is idle, which happens once or twice in some runs on a busy
    // machine.
    let fewest = Number.POSITIVE_INFINITY;
    for (let runs = 0; runs < 3 && fewest >= 3; runs += 1) fewest = Math.min(fewest, markings(ours + work));
    expect(fewest).toBeLessThan(3);
  });

  it("are left to V8's default if the heap is small", () => {
    expect(markings(ours + work, '--max-old-space-size=96')).toBeGreaterThan(3);
  });
});

it.each([
  ['a small heap', '96', 20],
  ['a normal heap', '2048', 64],
])('limits the raw history cache with %s', (_, megabytes, most) => {
  const kept = run(
    `import { historyBytes } from '${limits}'; console.log(historyBytes() / 2 ** 20)`,
    `--max-old-space-size=${megabytes}`,
  );
  expect(Number(kept)).toBeGreaterThan(8);
  expect(Number(kept)).toBeLessThanOrEqual(most);
});

it.each([
  ['a small heap', ['--max-old-space-size=96', '--max-semi-space-size=8'], 48, 96],
  ['a normal heap', ['--max-old-space-size=2048'], 96, 512],
])('limits the memory of requests in flight with %s', (_, flags, least, most) => {
  const budget = run(
    `import { inflightBytes } from '${limits}'; console.log(inflightBytes() / 2 ** 20)`,
    ...flags,
  );
  expect(Number(budget)).toBeGreaterThanOrEqual(least);
  expect(Number(budget)).toBeLessThanOrEqual(most);
});
