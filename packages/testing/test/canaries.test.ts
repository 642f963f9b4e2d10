import { once } from 'node:events';
import { connect } from 'node:net';
import { inspect } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { leaksIn, newCanary, startNetworkCanary } from '../src/canaries.ts';

const secret = `${newCanary()}" ü`;
const bytes = Buffer.from(secret);

it.each([
  ['plain text', secret],
  ['JSON', JSON.stringify({ secret })],
  ['hex', bytes.toString('hex')],
  ['upper-case hex', bytes.toString('hex').toUpperCase()],
  ['a printed Buffer', inspect(bytes)],
  ['JSON of bytes', JSON.stringify(bytes)],
  ['base64', bytes.toString('base64')],
  ['base64 at the second offset', Buffer.from(`1${secret}2`).toString('base64')],
  ['base64url at the third offset', Buffer.from(`12${secret}3`).toString('base64url')],
])('leaksIn finds a secret in %s', (_, text) => {
  expect(leaksIn(`before ${text} after`, [secret])).not.toEqual([]);
  expect(leaksIn(`before ${text} after`, [newCanary()])).toEqual([]);
});

it('a network canary counts and closes its connections', async () => {
  const canary = await startNetworkCanary();
  onTestFinished(() => canary.close());
  const [host, port] = canary.address.split(':');
  await once(connect(Number(port), host).resume(), 'close');
  expect(canary.connections()).toBe(1);
});
