import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { streamLifetime } from '../../src/history/stream-limits.ts';
import { memory } from '../support/memory.ts';

const never = new AbortController().signal;
const of = (more: Partial<Parameters<typeof streamLifetime>[0]>) =>
  streamLifetime({ disconnected: never, stopping: never, maxMs: 60_000, memory, ...more });
const once = (signal: AbortSignal): Promise<unknown> =>
  signal.aborted ? Promise.resolve() : new Promise((resolve) => signal.addEventListener('abort', resolve));

test('ends with the sign-in, and says so, however long it might go on', async () => {
  const { signal, interruption } = of({ expiresAt: Date.now() + 30 });
  expect(interruption()).toBeUndefined();
  await once(signal);
  expect(interruption()).toBe('signed_out');
});

test('ends at once for a sign-in that is over', async () => {
  const { signal, interruption } = of({ expiresAt: Date.now() - 1 });
  await once(signal);
  expect(interruption()).toBe('signed_out');
});

test('ends at its own limit where the sign-in lasts longer', async () => {
  const { signal, interruption } = of({ expiresAt: Date.now() + 60_000, maxMs: 30 });
  await once(signal);
  expect(interruption()).toBe('limit');
});

test('a sign-in of a hundred years ends nothing today', async () => {
  const { signal } = of({ expiresAt: Date.now() + 100 * 365 * 86_400_000, maxMs: Number.MAX_SAFE_INTEGER });
  await delay(20);
  expect(signal.aborted).toBe(false);
});

test('tells the process’s end from a reader that has gone', () => {
  expect(of({ stopping: AbortSignal.abort() }).interruption()).toBe('shutdown');
  expect(of({ disconnected: AbortSignal.abort(), stopping: AbortSignal.abort() }).interruption()).toBe(
    'disconnected',
  );
});

test('takes a sign-in that ends within a millisecond, as fractions of a second in exp make it', async () => {
  const { signal, interruption } = of({ expiresAt: Date.now() + 30.25 });
  await once(signal);
  expect(interruption()).toBe('signed_out');
});

test('a step lets timers have their turn, however much there is to do without one', async () => {
  const { checkpoint } = of({});
  const fired = new AbortController();
  setTimeout(() => fired.abort(), 10);
  const until = performance.now() + 200;
  while (!fired.signal.aborted && performance.now() < until) await checkpoint();
  expect(fired.signal.aborted).toBe(true);
});

test.each([
  ['signed_out', { expiresAt: Date.now() + 60_000 }],
  ['limit', { maxMs: 20 }],
])('is over in time where no timer could fire: %s', async (reason, more) => {
  const { checkpoint, interruption, signal } = of(
    'expiresAt' in more ? { expiresAt: Date.now() + 20 } : more,
  );
  const until = performance.now() + 30;
  while (performance.now() < until);
  expect([signal.aborted, interruption()]).toEqual([false, reason]);
  await expect(checkpoint()).rejects.toThrow();
});
