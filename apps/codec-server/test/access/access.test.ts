import { expect, it } from 'vitest';
import { type Access, reloadableAccess } from '../../src/access/access.ts';

const fixed = (allowed: boolean): Access => ({
  authenticate: () => ({ name: allowed ? 'first' : 'second' }),
  allows: () => allowed,
  reveal: () => (allowed ? 'automatic' : 'on-demand'),
  revealMinutes: () => (allowed ? 15 : 30),
  signIn: () => undefined,
});

const request = { header: () => undefined };

it('uses the new policy for new requests, and the previous policy for requests in progress', async () => {
  const policies = [fixed(true), fixed(false)];
  const access = reloadableAccess(() => policies.shift()!);
  const before = await access.authenticate(request);
  access.reload();
  const after = await access.authenticate(request);
  expect([before.name, access.allows(before, 'decode', 'payments')]).toEqual(['first', true]);
  expect([after.name, access.allows(after, 'decode', 'payments')]).toEqual(['second', false]);
  expect(access.reveal('payments')).toBe('on-demand');
  expect(access.revealMinutes('payments')).toBe(30);
});

it('keeps the previous policy if the new policy has a mistake', async () => {
  let broken = false;
  const access = reloadableAccess(() => {
    if (broken) throw new Error('a mistake');
    return fixed(true);
  });
  broken = true;
  expect(() => access.reload()).toThrow('a mistake');
  const caller = await access.authenticate(request);
  expect(access.allows(caller, 'decode', 'payments')).toBe(true);
});

it('grants nothing to a caller whom it did not authenticate', () => {
  const access = reloadableAccess(() => fixed(true));
  expect(access.allows({ name: 'first' }, 'decode', 'payments')).toBe(false);
});
