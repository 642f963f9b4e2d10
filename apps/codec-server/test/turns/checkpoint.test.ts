import { afterEach, expect, it, vi } from 'vitest';
import { createCheckpoint } from '../../src/turns/checkpoint.ts';
import { SLICE_BYTES } from '../../src/turns/slices.ts';

afterEach(() => vi.useRealTimers());

it('yields after several milliseconds of work, and before a unit that is larger than a slice', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const checkpoint = createCheckpoint();
  const yields = async (bytes?: number): Promise<boolean> => {
    let hasYielded = false;
    setImmediate(() => (hasYielded = true));
    await checkpoint(bytes);
    return hasYielded;
  };
  expect(await yields()).toBe(false);
  expect(await yields(SLICE_BYTES)).toBe(false);
  expect(await yields(SLICE_BYTES + 1)).toBe(true);
  vi.advanceTimersByTime(4);
  expect(await yields()).toBe(false);
  vi.advanceTimersByTime(1);
  expect(await yields()).toBe(true);
});
