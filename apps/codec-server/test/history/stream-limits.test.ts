import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { lifetimeWith } from '../support/memory.ts';

const aborted = (signal: AbortSignal): Promise<unknown> =>
  signal.aborted ? Promise.resolve() : new Promise((resolve) => signal.addEventListener('abort', resolve));

describe('streamLifetime', () => {
  it('ends with `signed_out` if the token expires before the time limit', async () => {
    const { signal, interruption } = lifetimeWith({ expiresAt: Date.now() + 2_000 });
    expect(interruption()).toBeUndefined();
    await aborted(signal);
    expect(interruption()).toBe('signed_out');
  });

  it('ends immediately if the token has already expired', async () => {
    const { signal, interruption } = lifetimeWith({ expiresAt: Date.now() - 1 });
    await aborted(signal);
    expect(interruption()).toBe('signed_out');
  });

  it('ends with `limit` if the time limit passes before the token expires', async () => {
    const { signal, interruption } = lifetimeWith({ expiresAt: Date.now() + 60_000, maxMs: 30 });
    await aborted(signal);
    expect(interruption()).toBe('limit');
  });

  it('accepts an expiry time beyond the range of timers', async () => {
    const { signal } = lifetimeWith({
      expiresAt: Date.now() + 100 * 365 * 86_400_000,
      maxMs: Number.MAX_SAFE_INTEGER,
    });
    await delay(20);
    expect(signal.aborted).toBe(false);
  });

  it('distinguishes a shutdown from a disconnected client', () => {
    expect(lifetimeWith({ stopping: AbortSignal.abort() }).interruption()).toBe('shutdown');
    expect(
      lifetimeWith({ disconnected: AbortSignal.abort(), stopping: AbortSignal.abort() }).interruption(),
    ).toBe('disconnected');
  });

  it('accepts an expiry time with fractions of a millisecond', async () => {
    const { signal, interruption } = lifetimeWith({ expiresAt: Date.now() + 30.25 });
    await aborted(signal);
    expect(interruption()).toBe('signed_out');
  });

  it('lets timers fire at its checkpoints, however much work there is', async () => {
    const { checkpoint } = lifetimeWith({});
    const fired = new AbortController();
    setTimeout(() => fired.abort(), 10);
    const until = performance.now() + 10_000;
    while (!fired.signal.aborted && performance.now() < until) await checkpoint();
    expect(fired.signal.aborted).toBe(true);
  });

  it.each([
    ['signed_out', { expiresAt: Date.now() + 60_000 }],
    ['limit', { maxMs: 20 }],
  ])('ends in time with the reason `%s` even if no timer could fire', async (reason, more) => {
    const { checkpoint, interruption, signal } = lifetimeWith(
      'expiresAt' in more ? { expiresAt: Date.now() + 20 } : more,
    );
    const until = performance.now() + 30;
    while (performance.now() < until);
    expect([signal.aborted, interruption()]).toEqual([false, reason]);
    await expect(checkpoint()).rejects.toThrow();
  });
});
