import { describe, expect, it } from 'vitest';
import { KeyedSemaphore } from '../src/keyed-semaphore.ts';

const { signal } = new AbortController();

/** Starts calls that run until `end` is called with their names. */
function startCalls(semaphore: KeyedSemaphore) {
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  const call = (name: string, key = 'a', aborted: AbortSignal = signal): Promise<string> =>
    semaphore.run(key, aborted, async () => {
      started.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
      return name;
    });
  const end = async (name: string): Promise<void> => {
    ends.get(name)!();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { started, call, end };
}

describe('KeyedSemaphore', () => {
  it('runs as many calls of a key as the limit allows, and runs further calls in the order in which they were made', async () => {
    const { started, call, end } = startCalls(new KeyedSemaphore(2));
    const calls = ['1', '2', '3', '4'].map((name) => call(name));
    expect(started).toEqual(['1', '2']);
    await end('2');
    expect(started).toEqual(['1', '2', '3']);
    await end('3');
    await end('1');
    await end('4');
    expect(await Promise.all(calls)).toEqual(['1', '2', '3', '4']);
  });

  it('limits each key separately', async () => {
    const { started, call } = startCalls(new KeyedSemaphore(1));
    for (const [name, key] of [
      ['1', 'a'],
      ['2', 'b'],
      ['3', 'a'],
    ] as const)
      void call(name, key);
    expect(started).toEqual(['1', '2']);
  });

  it('takes a call out of the queue when its signal is aborted', async () => {
    const { started, call, end } = startCalls(new KeyedSemaphore(1));
    const gone = new AbortController();
    const first = call('1');
    const aborted = call('2', 'a', gone.signal);
    const last = call('3');
    gone.abort(new RangeError('gone'));
    await expect(aborted).rejects.toThrow('gone');
    await end('1');
    await end('3');
    expect(await Promise.all([first, last])).toEqual(['1', '3']);
    expect(started).toEqual(['1', '3']);
  });

  it('does not make a call whose signal is already aborted', async () => {
    const { started, call, end } = startCalls(new KeyedSemaphore(1));
    const aborted = AbortSignal.abort(new RangeError('gone'));
    await expect(call('1', 'a', aborted)).rejects.toThrow('gone');
    const first = call('2');
    await expect(call('3', 'a', aborted)).rejects.toThrow('gone');
    await end('2');
    await first;
    expect(started).toEqual(['2']);
  });

  it('gives the slot of a failed call to the next call', async () => {
    const semaphore = new KeyedSemaphore(1);
    const failing = semaphore.run('a', signal, () => Promise.reject(new RangeError('failed')));
    const next = semaphore.run('a', signal, async () => 'next');
    await expect(failing).rejects.toThrow('failed');
    expect(await next).toBe('next');
  });
});
