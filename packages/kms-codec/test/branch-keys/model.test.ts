import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { checkModel } from '@temporal-kms/scripts/spin';
import { describe, expect, it } from 'vitest';

/* Checks models/branch-keys.pml, which explains the worlds, the mutations and the exceptions. */

const models = join(import.meta.dirname, '../../models');
const model = join(models, 'branch-keys.pml');
/** Maximum number of steps in a search for a failure. This number suffices to find each expected failure. */
const maxSteps = 400;

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

describe('the branch key model', { timeout: 240_000 }, () => {
  it.each(named)('keeps every promise in the world %s', async (name, world) => {
    // Checking the formula in every world takes too long for `pnpm test`.
    const property = name === 'STORE' || process.env['SLOW'] ? 'both' : 'safety';
    expect(await checkModel(model, { macros: world, property })).toBeUndefined();
  });

  const refused = /refusedFor<2|sinceRefusal<2/;
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
  ])('breaks a promise if (mutation %i) %s', async (number, _, world, promise) => {
    const failure = await checkModel(model, {
      macros: [`MUTATION=${number}`, ...world],
      property: 'safety',
      maxSteps,
    });
    expect(failure?.split('\n')[0]).toMatch(promise);
  });

  it('allows endless disagreement if processes prefer their own keys to the stored keys', async () => {
    const failure = await checkModel(model, { macros: ['MUTATION=13', ...store], property: 'liveness' });
    expect(failure).toMatch(/^acceptance cycle/);
  });

  it.each([
    [1, 'an outage', ['OUTAGES']],
    [2, 'a refusal', ['OUTAGES', 'REFUSALS']],
    [3, 'an attack on the store', ['OUTAGES', 'ATTACKER']],
  ])('can leave a process unable to read in an outage after (exception %i) %s', async (number, _, world) => {
    const failure = await checkModel(model, {
      macros: [`WITHOUT=${number}`, ...world],
      property: 'safety',
      maxSteps,
    });
    expect(failure?.split('\n')[0]).toMatch(unreadable);
  });

  it('names every function and method after a function or method in the code', async () => {
    const declared = await declarations();
    const keys = await readFile(join(models, 'keys.pml'), 'utf8');
    const functions = [...keys.matchAll(/^(?:inline|#define) (\w+)/gm)].map(([, name]) => name!);
    expect(functions.length).toBeGreaterThan(20);
    const all = new Set([...declared.values()].flatMap((names) => [...names]));
    expect(functions.filter((name) => !all.has(name))).toEqual([]);

    const text = keys + (await readFile(model, 'utf8'));
    const methods = [...text.matchAll(/([A-Z]\w+)\.#?(\w+)/g)].map(
      ([, owner, name]) => [owner!, name!] as const,
    );
    expect(methods.length).toBeGreaterThan(10);
    expect(methods.filter(([owner, name]) => !declared.get(owner)?.has(name))).toEqual([]);
  });
});

/** Returns the names that each class's file in `src/keys` and `src/branch-keys` declares. */
async function declarations(): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>();
  for (const folder of ['keys', 'branch-keys'].map((name) => join(models, '../src', name))) {
    for (const file of await readdir(folder)) {
      const source = await readFile(join(folder, file), 'utf8');
      const names = source.matchAll(/^ {2}(?:async |get )*#?(\w+)\(|(?:const|function) (\w+)/gm);
      const owner = /^export class (\w+)/m.exec(source)?.[1] ?? basename(file, '.ts');
      found.set(owner, new Set([...names].map(([, member, other]) => (member ?? other)!)));
    }
  }
  return found;
}
