import { join } from 'node:path';
import { checkModel } from '@temporal-kms/scripts/spin';
import { describe, expect, it } from 'vitest';

/* Checks models/branch-keys.pml, which explains the worlds and the mutations. */

const model = join(import.meta.dirname, '../../models/branch-keys.pml');

const outages = ['OUTAGES', 'PAUSES', 'CRASHES'];
const refusals = ['REFUSALS'];
const noWraps = ['NO_WRAPS'];
const store = ['STORE'];
const attacker = ['ATTACKER'];

/** Worlds with more than one kind of failure take minutes, so only `pnpm test:long` checks them. */
const combined = [
  ['REFUSALS', 'NO_WRAPS'],
  ['STORE', 'PAUSES', 'CRASHES'],
  ['ATTACKER', 'PAUSES', 'CRASHES'],
];
const worlds = [outages, refusals, noWraps, store, attacker, ...(process.env['SLOW'] ? combined : [])];
const named = worlds.map((world) => [world.join(', '), world] as const);

describe('in the model of branch keys', { timeout: 240_000 }, () => {
  it.each(named)('every promise holds in the world %s', async (_, world) => {
    expect(await checkModel(model, { macros: world, property: 'safety' })).toBeUndefined();
  });

  it.each(process.env['SLOW'] ? named : [['STORE', store] as const])(
    'processes always agree again in the world %s',
    async (_, world) => {
      expect(await checkModel(model, { macros: world, property: 'liveness' })).toBeUndefined();
    },
  );

  const refused = /refusedFor<2|told<2/;
  const soft = /wasDown/;
  const unreadable = /owed/;
  const unsafeKey = /!\(ok\)/;
  it.each([
    [1, 'a confirmation by Cloud KMS never expires', refusals, refused],
    [2, 'a key past its soft age needs no response from Cloud KMS', outages, soft],
    [3, 'a key has no hard age', outages, /age\[\S+<8/],
    [4, 'a new key after a refusal need not be unwrapped', refusals, refused],
    [5, 'the next key encrypts immediately', outages, unreadable],
    [6, 'the next key encrypts during an outage', outages, unreadable],
    [7, 'a process replaces any stored value', outages, unreadable],
    [8, 'the proof of the key version is not verified', attacker, unsafeKey],
    [9, 'the date is not compared', attacker, unsafeKey],
    [10, 'a process returns to an older key', attacker, /unshared/],
    [11, 'a process adopts keys past their soft age', attacker, unsafeKey],
    [12, 'a key does not expire after Cloud KMS has refused another key', noWraps, soft],
    [13, 'a process prefers its own key to the stored key', store, /calmFor/],
  ])('a promise breaks if (mutation %i) %s', async (number, _, world, promise) => {
    const failure = await checkModel(model, { macros: [`MUTATION=${number}`, ...world], property: 'safety' });
    expect(failure?.split('\n')[0]).toMatch(promise);
  });

  it('processes may never agree again if they prefer their own keys to the stored keys', async () => {
    const failure = await checkModel(model, { macros: ['MUTATION=13', ...store], property: 'liveness' });
    expect(failure).toMatch(/^acceptance cycle/);
  });
});
