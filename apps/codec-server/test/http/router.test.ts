import { expect, test } from 'vitest';
import { Router } from '../../src/http/router.ts';

test('a path that is asked for often leads where it led before, and no other does', () => {
  const router = new Router<string>(['/decode']);
  router.add('ALL', '/*', 'every');
  router.add('POST', '/decode', 'decode');
  const matched = (method: string, path: string) => router.match(method, path)[0].map(([handler]) => handler);

  expect(matched('POST', '/decode')).toEqual(['every', 'decode']);
  expect(matched('POST', '/decode')).toEqual(['every', 'decode']);
  expect(matched('GET', '/decode')).toEqual(['every']);
  expect(matched('POST', '/encode')).toEqual(['every']);
});

test('a route that is added later counts', () => {
  const router = new Router<string>(['/decode']);
  router.add('POST', '/decode', 'first');
  expect(router.match('POST', '/decode')[0]).toHaveLength(1);
  router.add('POST', '/decode', 'second');
  expect(router.match('POST', '/decode')[0]).toHaveLength(2);
});
