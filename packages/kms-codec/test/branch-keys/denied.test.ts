import { describe, expect, it } from 'vitest';
import { parseEntry } from '../../src/branch-keys/entry.ts';
import { KeyRules } from '../../src/index.ts';
import { wrappedKeyHash } from '../../src/crypto/wrapped-key.ts';
import { json } from '../support/codec.ts';
import { branchOf, context, fleetOf, hour, minute, rules } from '../support/fleet.ts';

const denying = (branch: string) =>
  new KeyRules(rules, undefined, [wrappedKeyHash(Buffer.from(branch, 'hex'))]);

describe('a process with a deny-list', () => {
  it('does not adopt a denied branch key from the store, and replaces the key for the whole fleet', async () => {
    const fleet = fleetOf(2);
    const denied = branchOf((await fleet.encrypt())[0]!);
    await fleet.pass(minute);
    const codec = fleet.start({ rules: denying(denied) });
    const [message] = await codec.encode([json('x')], context);
    expect(branchOf(message!)).not.toBe(denied);
    expect(fleet.events).toEqual(['adopt unverified', 'adopt works']);
    await fleet.pass(hour);
    const branches = (await fleet.encrypt()).map(branchOf);
    expect(new Set(branches).size).toBe(1);
    expect(branches).not.toContain(denied);
  });

  it('never encrypts with a next key that is on the deny-list', async () => {
    const fleet = fleetOf(1);
    await fleet.encrypt();
    await fleet.pass(0.76 * hour);
    const { next } = parseEntry(fleet.store.values.get(fleet.store.ids[0]!)!.value);
    const denied = Buffer.from(next!.wrapped).toString('hex');
    const codec = fleet.start({ rules: denying(denied) });
    for (let times = 0; times < 40; times += 1) {
      const [message] = await codec.encode([json('x')], context);
      expect(branchOf(message!)).not.toBe(denied);
      await fleet.pass(minute);
    }
  });
});
