import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { clientAddress, type Env } from '../../src/http/context.ts';
import { served } from '../support/served.ts';

const own = '127.0.0.1';

test.each([
  ['without proxies nothing that a caller writes counts', undefined, '10.1.1.1', own],
  ['one proxy: what it added', 1, '10.1.1.1, 203.0.113.9', '203.0.113.9'],
  ['two, as with a load balancer of Google', 2, '203.0.113.9, 35.191.0.1', '203.0.113.9'],
  ['what a caller wrote stands further left', 2, '10.1.1.1, 2001:db8::7, 35.191.0.1', '2001:db8::7'],
  ['a header that is too short', 2, '203.0.113.9', own],
  ['no header', 1, undefined, own],
  ['what is no address', 1, 'evil\u00e9, <b>', own],
])('%s', async (_, proxies, forwarded, expected) => {
  const app = new Hono<Env>().get('/', (c) => {
    if (proxies !== undefined) c.set('proxies', proxies);
    return c.text(clientAddress(c) ?? '');
  });
  const { url } = await served(() => app);
  const headers: Record<string, string> = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  expect(await (await fetch(url, { headers })).text()).toBe(expected);
});
