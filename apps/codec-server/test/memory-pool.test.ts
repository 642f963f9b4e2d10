import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { MemoryPool } from '../src/memory-pool.ts';
import { never } from './support/memory.ts';

describe('a memory pool', () => {
  it('grants memory in the order of the calls, so that no call overtakes a waiting call', async () => {
    const pool = new MemoryPool(100);
    const release = pool.take(80)!;
    const granted: string[] = [];
    const large = pool.wait(50, never).then((free) => (granted.push('large'), free));
    const small = pool.wait(10, never).then((free) => (granted.push('small'), free));
    expect(pool.take(10)).toBeUndefined();
    await turn();
    expect(granted).toEqual([]);
    release();
    release();
    expect(pool.held).toBe(60);
    for (const free of await Promise.all([large, small])) free();
    expect(granted).toEqual(['large', 'small']);
    expect(pool.held).toBe(0);
  });

  it('grants a call that asks for more than the pool’s size, but only one such call at a time', async () => {
    const pool = new MemoryPool(100);
    const release = pool.take(500)!;
    expect(pool.take(1)).toBeUndefined();
    const next = pool.wait(500, never);
    expect(pool.held).toBe(500);
    release();
    (await next)();
    expect(pool.held).toBe(0);
  });

  it('grants memory to the next calls when the first call in the queue stops waiting', async () => {
    const pool = new MemoryPool(100);
    pool.take(50);
    const gone = new AbortController();
    const large = pool.wait(80, gone.signal);
    const small = pool.wait(10, never);
    gone.abort(new RangeError('gone'));
    await expect(large).rejects.toThrow(RangeError);
    await small;
    await expect(pool.wait(1, gone.signal)).rejects.toThrow(RangeError);
    expect(pool.held).toBe(60);
  });
});
