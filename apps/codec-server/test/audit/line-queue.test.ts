import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LineQueue } from '../../src/audit/line-queue.ts';

/** A writer whose writes the test completes. */
function held() {
  const writes: { text: string; end: PromiseWithResolvers<void> }[] = [];
  const append = (lines: readonly string[]): Promise<void> => {
    const end = Promise.withResolvers<void>();
    writes.push({ text: lines.join(''), end });
    return end.promise;
  };
  return { writes, append };
}

const outcomes = async (...lines: Promise<void>[]) =>
  (await Promise.allSettled(lines)).map(({ status }) => status);

it('resolves a line only when its write has completed', async () => {
  const { writes, append } = held();
  let written = false;
  const line = new LineQueue(append).write('a\n').then(() => (written = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(written).toBe(false);
  writes[0]!.end.resolve();
  await line;
});

it('writes the lines that arrive during a write together, in order', async () => {
  const { writes, append } = held();
  const queue = new LineQueue(append);
  const lines = [queue.write('a\n'), queue.write('b\n'), queue.write('c\n')];
  writes[0]!.end.resolve();
  await lines[0];
  await new Promise(setImmediate);
  writes[1]!.end.resolve();
  expect(await outcomes(...lines)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
  expect(writes.map(({ text }) => text)).toEqual(['a\n', 'b\nc\n']);
});

it('rejects the lines of a failed write and continues with the next write', async () => {
  const { writes, append } = held();
  const queue = new LineQueue(append);
  const first = queue.write('a\n');
  writes[0]!.end.reject(new Error('ENOSPC'));
  await expect(first).rejects.toThrow('ENOSPC');
  const second = queue.write('b\n');
  await new Promise(setImmediate);
  writes[1]!.end.resolve();
  await second;
});

/** A write of several turns, in each of which the process stands still for a while. */
async function stalled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await stat('.');
    const until = performance.now() + 300;
    while (performance.now() < until);
  }
}

it('does not count stalls of the process against a write that takes several turns', async () => {
  await new LineQueue(stalled, { waitMs: 600 }).write('a\n');
});

it('does not treat a blocked event loop as a write that hangs', async () => {
  // The write completes in another thread, and its callback runs after the timer that is due by then.
  const queue = new LineQueue(async () => void (await stat('.')), { waitMs: 500 });
  const line = queue.write('a\n');
  const until = performance.now() + 1_000;
  while (performance.now() < until);
  await line;
});

it('gives a line that waits for a slow write no more time than the first line', async () => {
  const blocked = Promise.withResolvers<void>();
  const writes = [() => delay(1_500), () => blocked.promise, async () => undefined];
  const queue = new LineQueue(() => writes.shift()!(), { waitMs: 2_000 });
  const first = queue.write('a\n');
  const waiting = queue.write('b\n');
  await first;
  const begun = performance.now();
  await expect(waiting).rejects.toThrow('not written within 2000 ms');
  // 500 ms of its 2,000 are left when its write begins.
  expect(performance.now() - begun).toBeLessThan(2_000);
  blocked.resolve();
  await new Promise(setImmediate);
  await queue.write('c\n');
});

describe('while a write hangs', () => {
  it('rejects its lines and the waiting lines in time, further lines at once, and continues when the write completes', async () => {
    const { writes, append } = held();
    const queue = new LineQueue(append, { waitMs: 50 });
    const before = performance.now();
    expect(await outcomes(queue.write('a\n'), queue.write('b\n'))).toEqual(['rejected', 'rejected']);
    expect(performance.now() - before).toBeLessThan(2_000);

    const late = performance.now();
    for (let n = 0; n < 1_000; n += 1) await expect(queue.write('c\n')).rejects.toThrow('not completed');
    expect(performance.now() - late).toBeLessThan(2_000);

    writes[0]!.end.resolve();
    await new Promise(setImmediate);
    expect(writes.map(({ text }) => text)).toEqual(['a\n', 'b\n']);
    writes[1]!.end.resolve();
    await new Promise(setImmediate);
    const after = queue.write('d\n');
    writes[2]!.end.resolve();
    await after;
  });

  it('rejects lines above the limit of waiting characters', async () => {
    const { writes, append } = held();
    const queue = new LineQueue(append, { maxWaiting: 10 });
    const lines = [queue.write('first\n'), queue.write('12345678\n')];
    await expect(queue.write('9\n')).rejects.toThrow('too many lines');
    for (const at of [0, 1]) {
      writes[at]!.end.resolve();
      await lines[at];
      await new Promise(setImmediate);
    }
  });
});
