import { expect, test } from 'vitest';
import { RefreshedValue } from '../../src/access/issuer-keys.ts';
import { TokenCache } from '../../src/access/tokens.ts';

const SECOND = 1_000;

function tokens(expiresAt: number | undefined, max?: number) {
  let now = 0;
  const checked: string[] = [];
  const memory = new TokenCache<{ expiresAt?: number }>(() => now, max);
  return {
    checked,
    ask: (token: string, at: number) => {
      now = at;
      return memory.get(token, async () => {
        checked.push(token);
        return expiresAt === undefined ? {} : { expiresAt };
      });
    },
    memory,
  };
}

test('a checked token is remembered for a minute', async () => {
  const { ask, checked } = tokens(3_600 * SECOND);
  await ask('a', 0);
  await ask('a', 59.9 * SECOND);
  expect(checked).toEqual(['a']);
  await ask('a', 60 * SECOND);
  expect(checked).toEqual(['a', 'a']);
});

test('it is never remembered past its expiry', async () => {
  const { ask, checked } = tokens(10 * SECOND);
  await ask('a', 0);
  await ask('a', 9.9 * SECOND);
  expect(checked).toHaveLength(1);
  await ask('a', 10 * SECOND);
  await ask('a', 10 * SECOND);
  expect(checked).toHaveLength(3);
});

const refuse = () => Promise.reject(new Error('refused'));

test('what is refused is not remembered', async () => {
  const { memory } = tokens(undefined);
  await expect(memory.get('a', refuse)).rejects.toThrow('refused');
  await expect(memory.get('a', async () => ({}))).resolves.toEqual({});
});

test('no more than so many are remembered, those that were not used for longest go first', async () => {
  const { ask, checked } = tokens(3_600 * SECOND, 2);
  for (const token of ['a', 'b', 'a', 'c', 'a', 'b']) await ask(token, 0);
  expect(checked).toEqual(['a', 'b', 'c', 'b']);
});

const lifetimes = { freshMs: 10 * SECOND, usableMs: 60 * SECOND, retryMs: 5 * SECOND };

test('a value that can not be renewed is used on for a bounded time, one attempt at a time', async () => {
  let now = 0;
  let loads = 0;
  let up = true;
  const value = new RefreshedValue(
    async () => {
      loads += 1;
      if (!up) throw new Error('down');
      return loads;
    },
    lifetimes,
    () => now,
  );
  expect(await Promise.all([value.get(), value.get()])).toEqual([1, 1]);
  now = 9.9 * SECOND;
  expect(await value.get()).toBe(1);
  expect(loads).toBe(1);

  up = false;
  now = 59.9 * SECOND;
  expect(await Promise.all([value.get(), value.get(), value.get()])).toEqual([1, 1, 1]);
  expect(loads).toBe(2);

  now = 60 * SECOND;
  await expect(value.get()).rejects.toThrow('down');
  expect(loads).toBe(2);

  up = true;
  now = 66 * SECOND;
  expect(await value.get()).toBe(3);
});

test('a value is renewed for whom it does not serve, at most every few seconds', async () => {
  let now = 0;
  let loads = 0;
  const value = new RefreshedValue(
    async () => (loads += 1),
    lifetimes,
    () => now,
  );
  await value.get();
  expect(await value.refresh()).toBeUndefined();
  now = 5 * SECOND;
  expect(await Promise.all([value.refresh(), value.refresh()])).toEqual([2, 2]);
  expect(await value.refresh()).toBeUndefined();
});
