import { expect, it } from 'vitest';
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

it('caches a verified token for a minute', async () => {
  const { ask, checked } = tokens(3_600 * SECOND);
  await ask('a', 0);
  await ask('a', 59.9 * SECOND);
  expect(checked).toEqual(['a']);
  await ask('a', 60 * SECOND);
  expect(checked).toEqual(['a', 'a']);
});

it('does not cache a token past its expiry', async () => {
  const { ask, checked } = tokens(10 * SECOND);
  await ask('a', 0);
  await ask('a', 9.9 * SECOND);
  expect(checked).toHaveLength(1);
  await ask('a', 10 * SECOND);
  await ask('a', 10 * SECOND);
  expect(checked).toHaveLength(3);
});

const refuse = () => Promise.reject(new Error('refused'));

it('does not cache a refusal', async () => {
  const { memory } = tokens(undefined);
  await expect(memory.get('a', refuse)).rejects.toThrow('refused');
  await expect(memory.get('a', async () => ({}))).resolves.toEqual({});
});

it('evicts the least recently used token above its limit', async () => {
  const { ask, checked } = tokens(3_600 * SECOND, 2);
  for (const token of ['a', 'b', 'a', 'c', 'a', 'b']) await ask(token, 0);
  expect(checked).toEqual(['a', 'b', 'c', 'b']);
});
