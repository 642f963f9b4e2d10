import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryBudget, type MemoryLease } from '../../src/memory/budget.ts';
import { HttpError } from '../../src/errors.ts';

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

describe('a budget', () => {
  test('refuses what one lease may never hold with 413, and what others hold with 503', () => {
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

  test('limits what all page leases hold together to half of the memory that is not lent', async () => {
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

  test('grants one lease its whole share whatever small ones hold', () => {
    const budget = new MemoryBudget(100, 60);
    for (let n = 0; n < 40; n += 1) budget.lease().take(1);
    const large = budget.lease();
    large.take(30);
    large.take(30);
    expect(refusalOf(() => budget.lease().take(1))).toEqual({ status: 503, code: 'busy' });
    large.release();
    budget.lease().take(60);
  });

  test('lends nothing to a lease that may not borrow, until it goes first', async () => {
    const budget = new MemoryBudget(100, 60);
    const later = budget.lease(false);
    later.take(40);
    const waited = later.wait(20, signal);
    expect(waited).toBeInstanceOf(Promise);
    later.goFirst();
    await waited;
    expect(budget.held).toBe(60);
  });

  test('ends a wait with its signal, and grants what is left to others', async () => {
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

  test('takes nothing for a lease that has ended', () => {
    const budget = new MemoryBudget(100, 60);
    const lease = budget.lease();
    lease.take(10);
    lease.end();
    expect(() => lease.take(1)).toThrow('disconnected');
    expect(budget.held).toBe(0);
  });

  test('never grants more than there is, and lets every lease finish that waits', async () => {
    // Each lease takes its parts one after the other, holding what it has while it waits, and then gives all back.
    const parts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.array(parts, { maxLength: 30 }), async (all) => {
        const budget = new MemoryBudget(100, 60);
        const run = async (lease: MemoryLease, sizes: readonly number[]): Promise<void> => {
          for (const size of sizes) {
            if (!lease.fits(size)) break;
            await lease.wait(size, AbortSignal.timeout(5_000));
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
