import { describe, expect, test } from 'vitest';
import { createSizedLru } from '../../../src/payloads/reveal/sized-lru.ts';

const texts = (maxSize: number) => createSizedLru<string>(maxSize, (text) => text.length);

describe('a map that limits the total size of its entries', () => {
  test('drops the least recently used entry', () => {
    const map = texts(12);
    for (const key of ['a', 'b', 'c', 'd']) map.set(key, `${key}23`);
    map.get('a');
    map.peek('b');
    map.set('e', 'e23');
    expect([...map.keys()]).toEqual(['c', 'd', 'a', 'e']);
    expect(map.size).toBe(12);
  });

  test('rejects an entry larger than a quarter of the limit, and drops the key’s older value', () => {
    const map = texts(12);
    map.set('a', '123');
    map.set('a', '1234');
    expect(map.get('a')).toBeUndefined();
    expect(map.size).toBe(0);
  });

  test('counts the size of the remaining entries after others are replaced, deleted during iteration, or cleared', () => {
    const map = texts(100);
    map.set('a', '1');
    map.set('a', '12345');
    map.set('b', '12');
    expect(map.size).toBe(7);
    for (const key of map.keys()) map.delete(key);
    expect(map.size).toBe(0);
    map.set('c', '1');
    map.clear();
    expect([map.size, map.get('c')]).toEqual([0, undefined]);
  });
});
