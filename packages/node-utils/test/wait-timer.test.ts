import { setTimeout as sleep } from 'node:timers/promises';
import { block } from '@temporal-kms/scripts/block';
import { describe, expect, it, vi } from 'vitest';
import { WaitTimer } from '../src/wait-timer.ts';

describe('WaitTimer', () => {
  it('expires once, after its limit', async () => {
    let expired = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = new WaitTimer(300, () => {
      expired += 1;
      resolve();
    });
    await sleep(100);
    expect(expired).toBe(0);
    await promise;
    await sleep(200);
    expect(expired).toBe(1);
    timer.stop();
  });

  it('never expires after stop()', async () => {
    let expired = 0;
    new WaitTimer(100, () => (expired += 1)).stop();
    await sleep(400);
    expect(expired).toBe(0);
  });

  it('counts stalled time separately', async () => {
    const started = performance.now();
    const timer = new WaitTimer();
    await sleep(200);
    block(2_000);
    await sleep(200);
    expect(timer.waitedMs).toBeLessThan(performance.now() - started - 1_500);
    expect(timer.stalledMs).toBeGreaterThan(1_500);
    timer.stop();
  });

  it('does not count its own start as a stall', () => {
    const { setInterval } = globalThis;
    const start = vi.spyOn(globalThis, 'setInterval').mockImplementationOnce((...args) => {
      block(50);
      return setInterval(...args);
    });
    const timer = new WaitTimer();
    expect(start).toHaveBeenCalledTimes(1);
    expect(timer.stalledMs).toBeLessThanOrEqual(timer.waitedMs);
    timer.stop();
    start.mockRestore();
  });

  it('does not count time before the timer started', async () => {
    const first = new WaitTimer();
    await sleep(250);
    const started = performance.now();
    const second = new WaitTimer();
    expect(second.waitedMs).toBeLessThanOrEqual(performance.now() - started);
    first.stop();
    second.stop();
  });
});
