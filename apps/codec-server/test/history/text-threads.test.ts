import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  startTextThreads,
  type TextThreads,
  type TextThreadsOptions,
} from '../../src/history/text-threads.ts';
import { never } from '../support/memory.ts';
import { type Payload, plain, text } from '../support/stack.ts';

const MB = 1_000_000;
const body = (data: Uint8Array, encoding = 'json/plain'): Payload => ({
  metadata: { encoding: text(encoding) },
  data,
});
/** Returns a body with this many millions of ones. A search for `1` takes about 0.2 s per million. */
const manyOnes = (millions: number, last = '1') => body(text(`[${'1,'.repeat(millions * MB)}${last}]`));
const query = (term: string) => ({ text: term, caseSensitive: false });

function start(options?: TextThreadsOptions): TextThreads {
  const threads = startTextThreads(options);
  onTestFinished(() => threads.close());
  return threads;
}

/** Stops the clock of the time limit for the current test, which can then advance the clock. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
}

/** Waits until a thread works on a payload, and the payload's time limit has started. */
const untilStarted = () => expect.poll(() => vi.getTimerCount(), { interval: 5 }).toBe(1);

const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

/**
 * Returns the longest CPU time, in milliseconds, that this thread used during `work` without returning to the
 * event loop. Unlike elapsed time, CPU time does not depend on other processes.
 */
async function longestBlock(work: Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = cpuMs();
  const timer = setInterval(() => {
    longest = Math.max(longest, cpuMs() - last);
    last = cpuMs();
  }, 5);
  try {
    await work;
  } finally {
    clearInterval(timer);
  }
  return Math.max(longest, cpuMs() - last);
}

/** Bodies of 2 MB that are the worst case for a JSON scanner, a regular expression or a UTF-8 decoder. */
const pathological: readonly (readonly [string, string, () => Uint8Array])[] = [
  ['a million values', 'x', () => text(`[${'1,'.repeat(MB)}1]`)],
  ['a hit in each of a million values', '1', () => text(`[${'1,'.repeat(MB)}1]`)],
  ['a million keys', 'x', () => text(`{${Array.from({ length: 150_000 }, (_, n) => `"k${n}":1`).join()}}`)],
  ['2 MB of [', 'x', () => text('['.repeat(2 * MB))],
  ['a million levels', '[', () => text(`${'['.repeat(MB)}${']'.repeat(MB)}`)],
  ['2 MB of {"a":', 'a', () => text('{"a":'.repeat(400_000))],
  ['escapes', 'x', () => text(`"${'\\"'.repeat(MB)}"`)],
  ['a value of escapes after another', 'x', () => text(`[${String.raw`"\u0041",`.repeat(220_000)}1]`)],
  ['one string', 'ab', () => text(`"${'a'.repeat(2 * MB)}"`)],
  [
    'text that nearly matches at every position',
    `b${'a'.repeat(199)}`,
    () => text(`"${'a'.repeat(2 * MB)}"`),
  ],
  ['the same with case folding', `ſ${'k'.repeat(199)}`, () => text(`"${'K'.repeat(2 * MB)}"`)],
  ['half matches', `${'ab'.repeat(99)}x`, () => text(`"${'ab'.repeat(MB)}"`)],
  ['one number', '9', () => text('1'.repeat(2 * MB))],
  [
    'a key of a megabyte around many hits',
    'y',
    () => text(`{"${'a'.repeat(MB)}":[${'"y",'.repeat(MB / 4)}1]}`),
  ],
  ['invalid UTF-8 at the end', 'x', () => Buffer.concat([text('"'.padEnd(2 * MB)), Buffer.from([0xff])])],
  ['four-byte characters', 'x', () => text(`"${'😀'.repeat(MB / 2)}"`)],
];

describe('a large payload', () => {
  const threads = startTextThreads();
  afterAll(() => threads.close());

  it.each(pathological)('with %s is searched without blocking the event loop', async (_, term, make) => {
    const payload = body(make());
    let matches: Awaited<ReturnType<TextThreads['find']>>;
    const search = async () => (matches = await threads.find(query(term), payload, false, never));
    expect(await longestBlock(search())).toBeLessThan(1_000);
    expect(JSON.stringify(matches ?? []).length).toBeLessThan(MB);
    expect(payload.data?.length).toBeGreaterThan(MB);
  });

  it('is searched by a thread with the same matches as a small payload that needs no thread', async () => {
    const value = { list: Array.from({ length: 20_000 }, (_, n) => `value ${n}`) };
    expect(await threads.find(query('value 19999'), plain(value), false, never)).toEqual([
      {
        pointer: '/list/19999',
        in: 'value',
        matches: 1,
        snippet: { before: '0', match: 'value 19999', after: '0' },
      },
    ]);
    const readable = await threads.readable(plain(value), never);
    expect(Array.from(readable ?? []).join('')).toBe(JSON.stringify(value));
  });

  it('is transferred to a thread without a copy if nothing else uses the payload’s bytes', async () => {
    const own = new Uint8Array(MB).fill(0x61);
    await threads.find(query('b'), body(own), true, never);
    expect(own.length).toBe(0);
    const page = new Uint8Array(2 * MB).fill(0x61);
    await threads.find(query('b'), body(page.subarray(0, MB)), true, never);
    expect(page.length).toBe(2 * MB);
  });
});

describe('a pool of threads', () => {
  it('abandons a payload at the time limit, and searches the next payload', async () => {
    stopClock();
    const threads = start({ threads: 1, limitMs: 400 });
    for (const work of [
      () => threads.find(query('1'), manyOnes(20), false, never),
      () => threads.readable(manyOnes(48), never),
    ]) {
      const abandoned = work();
      await untilStarted();
      vi.advanceTimersByTime(500);
      expect(await abandoned).toBeUndefined();
    }
    expect(await threads.find(query('a'), body(text('"a"'.padEnd(20_000))), false, never)).toHaveLength(1);
  });

  it('abandons a payload at the memory limit, and searches the next payload', async () => {
    const threads = start({ threads: 1, limitMs: 60_000, heapMiB: 16 });
    const huge = body(text(`"${'\\u0041'.repeat(8 * MB)}"`));
    expect(await threads.find(query('A'), huge, false, never)).toBeUndefined();
    expect(await threads.find(query('a'), body(text('"a"'.padEnd(20_000))), false, never)).toHaveLength(1);
  });

  it('lets a payload wait in the queue for longer than the time limit', async () => {
    stopClock();
    const threads = start({ threads: 1, limitMs: 2_000 });
    const searches = Array.from({ length: 3 }, async () =>
      threads.find(query('needle'), manyOnes(1, '"needle"'), false, never),
    );
    await searches[0];
    // The thread has not started to work on the other payloads.
    vi.advanceTimersByTime(10_000);
    const found = await Promise.all(searches);
    expect(found.map((matches) => matches?.length)).toEqual([1, 1, 1]);
  });
});

describe('an aborted search', () => {
  it("ends immediately with the signal's reason, whether it is running or queued, and the next payload is searched", async () => {
    stopClock();
    const threads = start({ threads: 1 });
    const client = new AbortController();
    const running = threads.find(query('1'), manyOnes(20), false, client.signal);
    const waiting = threads.find(query('1'), manyOnes(10), false, client.signal);
    const reason = new Error('The client disconnected.');
    await untilStarted();
    client.abort(reason);
    await Promise.all([running, waiting].map((search) => expect(search).rejects.toBe(reason)));
    expect(await threads.find(query('a'), body(text('"a"'.padEnd(20_000))), false, never)).toHaveLength(1);
    await expect(threads.find(query('1'), manyOnes(10), false, client.signal)).rejects.toBe(reason);
  });
});
