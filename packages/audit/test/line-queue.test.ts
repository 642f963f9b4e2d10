import { setImmediate as nextTurn } from 'node:timers/promises';
import { block } from '@temporal-kms/scripts/block';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { LineQueue } from '../src/line-queue.ts';

/** A writer whose writes complete only when the test completes them. */
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

it('does not resolve a line before its write has completed', async () => {
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

/** A write that takes several turns of the event loop, each of which is blocked for a while. */
async function stalled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await nextTurn();
    block(300);
  }
}

it('does not count the process’s stalls towards the time limit of a write that takes several turns of the event loop', async () => {
  await new LineQueue(stalled, { waitMs: 1_000 }).write('a\n');
});

it('does not treat a blocked event loop as a write that hangs', async () => {
  // After the block, the timer is due, and runs before the write's callback.
  const queue = new LineQueue(() => nextTurn(), { waitMs: 500 });
  const line = queue.write('a\n');
  block(1_000);
  await line;
});

/**
 * Replaces the clock for the time limits, which are accurate to 20 ms. Returns a function that advances the
 * clock.
 */
function stoppedClock(): (milliseconds: number) => Promise<void> {
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval', 'setImmediate'] });
  onTestFinished(() => void vi.useRealTimers());
  return async (milliseconds) => void (await vi.advanceTimersByTimeAsync(milliseconds));
}

/** Whether each line is written, rejected or still waiting. */
const states = (...lines: Promise<void>[]) => {
  const current: string[] = lines.map(() => 'waiting');
  for (const [n, line] of lines.entries())
    line.then(
      () => (current[n] = 'written'),
      (error: Error) => (current[n] = error.message),
    );
  return current;
};

it('counts the wait for a slow write towards the time limit of a queued line', async () => {
  const pass = stoppedClock();
  const { writes, append } = held();
  const queue = new LineQueue(append, { waitMs: 2_000 });
  const lines = states(queue.write('a\n'), queue.write('b\n'));
  await pass(1_500);
  writes[0]!.end.resolve();
  await pass(0);
  expect([lines, writes.length]).toEqual([['written', 'waiting'], 2]);
  // The second line has 500 of its 2,000 ms left when its write begins.
  await pass(460);
  expect(lines[1]).toBe('waiting');
  await pass(80);
  expect(lines[1]).toContain('not written within 2000 ms');
  writes[1]!.end.resolve();
  await pass(0);
  const after = queue.write('c\n');
  writes[2]!.end.resolve();
  await after;
});

it('ends the time limit of a line when the line is written', async () => {
  const pass = stoppedClock();
  const { writes, append } = held();
  const queue = new LineQueue(append, { waitMs: 2_000 });
  for (const n of [0, 1]) {
    const line = queue.write('a\n');
    writes[n]!.end.resolve();
    await line;
    await pass(2_040);
  }
});

it('reports a write’s lines only once if the write fails after its time limit', async () => {
  const pass = stoppedClock();
  const { writes, append } = held();
  const failed = vi.fn((reason: unknown) => reason);
  const lines = states(new LineQueue(append, { waitMs: 2_000, failed }).write('a\n'));
  await pass(2_040);
  writes[0]!.end.reject(new Error('EIO'));
  await pass(0);
  expect(lines).toEqual(['a line was not written within 2000 ms']);
  expect(failed.mock.calls).toEqual([[expect.any(Error), 1]]);
});

describe('while a write hangs', () => {
  it('rejects the lines of that write and queued lines in time, rejects further lines immediately, and recovers when the write completes', async () => {
    const pass = stoppedClock();
    const { writes, append } = held();
    const queue = new LineQueue(append, { waitMs: 2_000 });
    const lines = states(queue.write('a\n'), queue.write('b\n'));
    await pass(1_960);
    expect(lines).toEqual(['waiting', 'waiting']);
    await pass(80);
    const late = expect.stringContaining('not written within 2000 ms');
    expect(lines).toEqual([late, late]);

    // The rejection must not need the clock to advance.
    for (let n = 0; n < 1_000; n += 1) await expect(queue.write('c\n')).rejects.toThrow('not completed');

    writes[0]!.end.resolve();
    await pass(0);
    expect(writes.map(({ text }) => text)).toEqual(['a\n', 'b\n']);
    writes[1]!.end.resolve();
    await pass(0);
    const after = queue.write('d\n');
    writes[2]!.end.resolve();
    await after;
  });

  it('rejects lines beyond the maximum number of queued characters', async () => {
    const { writes, append } = held();
    const queue = new LineQueue(append, { maxWaiting: 10 });
    const lines = [queue.write('first\n'), queue.write('123456789\n')];
    await expect(queue.write('\n')).rejects.toThrow('too many lines');
    for (const at of [0, 1]) {
      writes[at]!.end.resolve();
      await lines[at];
      await new Promise(setImmediate);
    }
  });
});
