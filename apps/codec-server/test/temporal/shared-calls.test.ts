import { expect, test } from 'vitest';
import { SharedCalls } from '../../src/temporal/shared-calls.ts';

const never = new AbortController().signal;

function call() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const started: AbortSignal[] = [];
  const start = (signal: AbortSignal): Promise<string> => {
    started.push(signal);
    return promise;
  };
  return { start, started, resolve, reject };
}

test('callers of one key share one call, and the next caller after it makes another', async () => {
  const calls = new SharedCalls<string>();
  const { start, started, resolve } = call();
  const both = [calls.join('a', never, start), calls.join('a', never, start)];
  resolve('page');
  expect(await Promise.all(both)).toEqual(['page', 'page']);
  await calls.join('a', never, start);
  expect(started).toHaveLength(2);
});

test('one that goes away leaves the call to the others', async () => {
  const calls = new SharedCalls<string>();
  const { start, started, resolve } = call();
  const leaver = new AbortController();
  const left = calls.join('a', leaver.signal, start);
  const stays = calls.join('a', never, start);
  leaver.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  expect(started[0]!.aborted).toBe(false);
  resolve('page');
  expect(await stays).toBe('page');
});

test('when the last goes away the call is aborted, and a new caller starts another', async () => {
  const calls = new SharedCalls<string>();
  const first = call();
  const leaver = new AbortController();
  const left = calls.join('a', leaver.signal, first.start);
  leaver.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  expect(first.started[0]!.aborted).toBe(true);
  const second = call();
  second.resolve('page');
  expect(await calls.join('a', never, second.start)).toBe('page');
});

test('a failure reaches everyone, and is not kept', async () => {
  const calls = new SharedCalls<string>();
  const { start, reject } = call();
  const both = Promise.allSettled([calls.join('a', never, start), calls.join('a', never, start)]);
  reject(new Error('down'));
  expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const again = call();
  again.resolve('page');
  expect(await calls.join('a', never, again.start)).toBe('page');
});
