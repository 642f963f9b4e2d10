import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { LineQueue } from '../../src/audit/line-queue.ts';

/** A writer whose writes end when they are told to. */
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

test('a line is written only when its write has come back', async () => {
  const { writes, append } = held();
  let written = false;
  const line = new LineQueue(append).write('a\n').then(() => (written = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(written).toBe(false);
  writes[0]!.end.resolve();
  await line;
});

test('lines that come while one is written go together behind it, in their order', async () => {
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

test('a write that fails refuses its lines, and the next is tried', async () => {
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

test('stalls of the process do not count for the time of a write that takes several turns', async () => {
  await new LineQueue(stalled, { waitMs: 600 }).write('a\n');
});

test('an event loop that was held up is not taken for a write that hangs', async () => {
  // It ends in a thread of its own, and is told of behind the timer that is due by then.
  const queue = new LineQueue(async () => void (await stat('.')), { waitMs: 500 });
  const line = queue.write('a\n');
  const until = performance.now() + 1_000;
  while (performance.now() < until);
  await line;
});

test('a line that waits behind a slow write has no more time for it than the first', async () => {
  const queue = new LineQueue(() => delay(80), { waitMs: 100 });
  const first = queue.write('a\n');
  const behind = queue.write('b\n');
  await first;
  const begun = performance.now();
  await expect(behind).rejects.toThrow('not written within 100 ms');
  expect(performance.now() - begun).toBeLessThan(60);
  await delay(100);
  await queue.write('c\n');
});

describe('while a write hangs', () => {
  test('its line and those behind it are refused in time, further ones at once, and it goes on when it can', async () => {
    const { writes, append } = held();
    const queue = new LineQueue(append, { waitMs: 50 });
    const before = performance.now();
    expect(await outcomes(queue.write('a\n'), queue.write('b\n'))).toEqual(['rejected', 'rejected']);
    expect(performance.now() - before).toBeLessThan(500);

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

  test('no more waits than is allowed', async () => {
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
