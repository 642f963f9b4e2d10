import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { clientAddress, type Env } from '../../src/http/context.ts';
import { served } from '../support/served.ts';

const own = '127.0.0.1';

test.each([
  ['ignores the header if there are no proxies', undefined, '10.1.1.1', own],
  ['uses the address that a single proxy added', 1, '10.1.1.1, 203.0.113.9', '203.0.113.9'],
  [
    'uses the address that the outermost of two proxies added, as with Google’s load balancers',
    2,
    '203.0.113.9, 35.191.0.1',
    '203.0.113.9',
  ],
  [
    'ignores entries further left, which a caller wrote',
    2,
    '10.1.1.1, 2001:db8::7, 35.191.0.1',
    '2001:db8::7',
  ],
  ['ignores a header with too few entries', 2, '203.0.113.9', own],
  ['uses the connection’s address if there is no header', 1, undefined, own],
  ['ignores an entry that is not an address', 1, 'evil\u00e9, <b>', own],
])('%s', async (_, proxies, forwarded, expected) => {
  const app = new Hono<Env>().get('/', (c) => {
    if (proxies !== undefined) c.set('proxies', proxies);
    return c.text(clientAddress(c) ?? '');
  });
  const { url } = await served(() => app);
  const headers: Record<string, string> = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  expect(await (await fetch(url, { headers })).text()).toBe(expected);
});
