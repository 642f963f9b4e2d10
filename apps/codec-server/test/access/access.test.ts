import { expect, it } from 'vitest';
import { type Access, openAccess, reloadableAccess } from '../../src/access/access.ts';

const signIn = { issuer: 'https://login.example.com', clientId: 'page', scopes: [], token: 'id' } as const;
const fixed = (allowed: boolean): Access => ({
  authenticate: () => (allowed ? { name: 'first' } : Promise.resolve({ name: 'second' })),
  allows: () => allowed,
  reveal: () => (allowed ? 'automatic' : 'on-demand'),
  revealMinutes: () => (allowed ? 15 : 30),
  signIn: () => (allowed ? undefined : signIn),
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
  expect(access.signIn()).toBe(signIn);
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

it('lets every client do everything with AUTH=none, and reveals payloads for 15 minutes', async () => {
  const caller = await openAccess.authenticate(request);
  expect(caller).toEqual({ name: 'anonymous' });
  expect(openAccess.open).toBe(true);
  expect(openAccess.allows(caller, 'audit', 'payments')).toBe(true);
  expect(openAccess.reveal('payments')).toBe('automatic');
  expect(openAccess.revealMinutes('payments')).toBe(15);
  expect(openAccess.signIn()).toBeUndefined();
});
